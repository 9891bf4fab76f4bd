(** A hash as the proofs assume one exists: the hash of something is that thing, written down. With it the machine computes within Coq,
    and two boards that keep every rule finish with two outcomes at 2m = n + t. *)

From Coq Require Import List Arith Bool Lia.
From WhiteCity Require Import Model Basics Winners Slots Forks Tight.
Import ListNotations.

Inductive term := Absent | Hash (x : msg term).

Lemma hash_is_injective : forall a b, Hash a = Hash b -> a = b.
Proof. intros a b eq. injection eq as ->. reflexivity. Qed.

Lemma no_hash_is_absent : forall a, Hash a <> Absent.
Proof. discriminate. Qed.

(** Equality of terms can be computed. *)

Definition spec_eq_dec (a b : spec) : {a = b} + {a <> b}.
Proof. decide equality; apply Nat.eq_dec. Defined.

Definition status_eq_dec (a b : status) : {a = b} + {a <> b}.
Proof. decide equality. Defined.

Definition leave_eq_dec (a b : nat * leave) : {a = b} + {a <> b}.
Proof. repeat decide equality. Defined.

Definition terminal_eq_dec (a b : terminal) : {a = b} + {a <> b}.
Proof. repeat decide equality. Defined.

Fixpoint term_eq_dec (a b : term) : {a = b} + {a <> b}.
Proof.
  refine (match a, b with Absent, Absent => left eq_refl | Hash x, Hash y => _ | _, _ => right _ end); try discriminate.
  refine (if (_ : {x = y} + {x <> y}) then left _ else right _); [|congruence|congruence].
  destruct x, y; try (right; discriminate); decide equality;
    solve [apply term_eq_dec | apply spec_eq_dec | apply terminal_eq_dec | apply status_eq_dec | apply Nat.eq_dec
          | apply list_eq_dec; apply leave_eq_dec | apply list_eq_dec; apply bool_dec].
Defined.

Definition term_same (a b : term) : bool := if term_eq_dec a b then true else false.

Lemma term_same_is_equal : forall a b, term_same a b = true <-> a = b.
Proof. intros a b. unfold term_same. destruct (term_eq_dec a b); split; congruence. Qed.

(** * Two boards *)

(** Three parties, of which two are a quorum and the first is corrupt: 2m = n + t. One replica, which shows two boards. *)
Definition three : spec :=
  {| parties := 3; quorum := 2; corrupt_max := 1; max_rounds := 9; join_ms := 5; round_ms := 5; retention_ms := 5; open_by_ms := 0;
     validators := 1; nonce := 0 |}.

Definition board (side : nat -> bool) (c : nat) : state term :=
  let write l := map Write (concat (map (fun s => match s with Some e => [e] | None => [] end) l)) in
  run term Hash Absent term_same three (opened term Hash three)
    [ {| height := 1; ms := 0; proposer := Some 0; txs := write (joins term three) |};
      {| height := 2; ms := 10; proposer := Some 0; txs := write (posts term Hash Absent three side c) |};
      (* Past the deadline, with nothing to add: last call is over. *)
      {| height := 3; ms := 20; proposer := Some 0; txs := [] |};
      {| height := 4; ms := 30; proposer := Some 0; txs := write (finishes term Hash Absent three side c) |} ].

Definition board_a : state term := board (in_a three) 1.
Definition board_b : state term := board (in_b three) 2.

(** Each keeps every rule, bears the signatures of parties of which the honest ones sign one entry a round, and finishes. The outcomes
    differ. *)
Theorem two_boards_finish_with_two_outcomes :
  reachable term Hash Absent term_same three board_a /\ reachable term Hash Absent term_same three board_b /\
  parties_behave three (corrupt three) (signed term Hash Absent three) /\
  all_signed term (signed term Hash Absent three) (closed board_a) (Some (slots board_a)) /\
  all_signed term (signed term Hash Absent three) (closed board_b) (Some (slots board_b)) /\
  phase board_a = Finished /\ phase board_b = Finished /\
  option_map end_outcome (ending board_a) = Some (Some 1) /\ option_map end_outcome (ending board_b) = Some (Some 2).
Proof.
  assert (a : closed board_a = [joins term three; posts term Hash Absent three (in_a three) 1] /\
    slots board_a = finishes term Hash Absent three (in_a three) 1) by (vm_compute; split; reflexivity).
  assert (b : closed board_b = [joins term three; posts term Hash Absent three (in_b three) 2] /\
    slots board_b = finishes term Hash Absent three (in_b three) 2) by (vm_compute; split; reflexivity).
  destruct a as [-> ->], b as [-> ->].
  destruct (at_the_bound_two_outcomes_finish term Hash Absent term_same term_same_is_equal three) as (behave & sa & sb & _);
    [reflexivity|simpl; lia|simpl; lia|].
  split; [eexists; reflexivity|]. split; [eexists; reflexivity|]. split; [exact behave|]. split; [exact sa|]. split; [exact sb|].
  vm_compute. repeat split; reflexivity.
Qed.

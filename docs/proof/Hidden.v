(** Where more than one charter succeeds: what the premises of Succession.v are for. Four operators, and boards that the machine itself runs;
    the hash of a charter is that charter, written down. *)

From Coq Require Import List Arith Bool Lia.
From WhiteCity Require Import Model Basics Charters Succession.
Import ListNotations.

Inductive name := Nothing | Of (c : charter name).

Fixpoint name_eq_dec (a b : name) : {a = b} + {a <> b}.
Proof.
  refine (match a, b with Nothing, Nothing => left eq_refl | Of x, Of y => _ | _, _ => right _ end); try discriminate.
  refine (if (_ : {x = y} + {x <> y}) then left _ else right _); [|congruence|congruence].
  destruct x as [n p u o c], y as [n' p' u' o' c'].
  destruct (Nat.eq_dec n n'), (name_eq_dec p p'), (Nat.eq_dec u u'), (list_eq_dec Nat.eq_dec o o'), (Nat.eq_dec c c');
    solve [left; congruence | right; congruence].
Defined.

Definition same_name (a b : name) : bool := if name_eq_dec a b then true else false.

Lemma same_name_is_equal a b : same_name a b = true <-> a = b.
Proof. unfold same_name. destruct (name_eq_dec a b); split; congruence. Qed.

(** Time between two approvals of one operator. *)
Definition minute := 6.

Notation govern := (govern name Of same_name minute).
Notation line := (line name).

Definition genesis : charter name := {| number := 0; previous := Nothing; until := 0; operators := [10; 11; 12; 13]; content := 0 |}.
(** Two charters that may follow it. *)
Definition first_draft : charter name := {| number := 1; previous := Of genesis; until := 100; operators := [10; 11; 12; 13]; content := 1 |}.
Definition second_draft : charter name := {| number := 1; previous := Of genesis; until := 100; operators := [10; 11; 12; 13]; content := 2 |}.

Definition says_of (i n : nat) (c : option (charter name)) : word name :=
  {| in_term := 0; place := i; sequence := n; says := c; signer := 10 + i |}.
Definition block (at_ms : nat) (l : list (word name)) : sitting name := {| at_ms := at_ms; said := l |}.

(** What has been signed is what is in the blocks of the two. *)
Definition signed (a b : list (sitting name)) (key : nat) (s : speech name) : Prop :=
  Exists (fun w => signer w = key /\ speech_of name Of w = s) (concat (map said (a ++ b))).

Lemma both_are_signed a b : bears name Of (signed a b) a /\ bears name Of (signed a b) b.
Proof.
  split; intros s w held into; apply Exists_exists; exists w; (split; [|auto]); apply in_concat; exists (said s);
    (split; [apply in_map, in_or_app; auto|exact into]).
Qed.

(** ** What is withdrawn can be shown as if it stood *)

(** One board: the operators approve the first draft one by one, each takes it back before the next one says so, and then all approve the
    second. *)
Definition withdrawn : list (sitting name) :=
  concat (map (fun i => [block (1 + i) [says_of i 1 (Some first_draft)]; block (1 + i) [says_of i 2 None]]) (seq 0 4)) ++
  [block 20 (map (fun i => says_of i 3 (Some second_draft)) (seq 0 4))].

(** Another one, of the same words: it shows the first of each operator. *)
Definition hidden : list (sitting name) := [block 1 (map (fun i => says_of i 1 (Some first_draft)) (seq 0 4))].

(** Nobody is corrupt, everybody signs one word for each number and withdraws what it has approved before it approves another charter, and
    two charters succeed. So the premise of [at_most_one_charter_succeeds] can't be that honest operators have at most one approval
    that isn't withdrawn. *)
Theorem withdrawn_approvals_can_be_hidden :
  exists signs a b,
  led_to name Of same_name minute signs genesis a /\ led_to name Of same_name minute signs genesis b /\
  few_are_corrupt name genesis (repeat false 4) /\
  (forall key, one_word_a_number (signs key)) /\
  (forall key n c, signs key {| of_term := 0; of_place := key - 10; of_sequence := S n; of_charter := Some c |} ->
    n = 0 \/ signs key {| of_term := 0; of_place := key - 10; of_sequence := n; of_charter := None |}) /\
  line a = [genesis; first_draft] /\ line b = [genesis; second_draft] /\ first_draft <> second_draft.
Proof.
  exists (signed hidden withdrawn), (govern (founded name genesis) hidden), (govern (founded name genesis) withdrawn).
  destruct (both_are_signed hidden withdrawn) as [one two].
  split; [eexists; split; [reflexivity|exact one]|]. split; [eexists; split; [reflexivity|exact two]|].
  split; [split; vm_compute; [reflexivity|lia]|]. split; [|split; [|vm_compute; repeat split; discriminate]].
  - intros key s s' h h' _. unfold signed in *. apply Exists_exists in h as (w & held & <- & <-), h' as (w' & held' & sg & <-).
    cbn in held, held'. intro eq.
    repeat (destruct held as [<-|held]; [repeat (destruct held' as [<-|held']; [cbn in *; try discriminate; try lia; reflexivity|]); contradiction|]);
      contradiction.
  - intros key n c h. apply Exists_exists in h as (w & held & <- & eq). cbn in held.
    assert (shown : forall w, In w (concat (map said (hidden ++ withdrawn))) ->
      signed hidden withdrawn (signer w) (speech_of name Of w)) by (intros; apply Exists_exists; eauto).
    repeat (destruct held as [<-|held];
      [cbn in eq; inversion eq; subst; solve [left; reflexivity | right;
        solve [apply (shown (says_of 0 2 None)); cbn; tauto | apply (shown (says_of 1 2 None)); cbn; tauto
              | apply (shown (says_of 2 2 None)); cbn; tauto | apply (shown (says_of 3 2 None)); cbn; tauto]]|]).
    contradiction.
Qed.

(** ** More than a third honest isn't enough *)

Definition one_half : list (sitting name) := [block 1 (map (fun i => says_of i 1 (Some first_draft)) [0; 1; 2])].
Definition other_half : list (sitting name) := [block 1 (map (fun i => says_of i 1 (Some second_draft)) [0; 1; 3])].

(** Two of four are corrupt. The two honest ones, more than a third, approve one charter each, and sign nothing else: two succeed. Each bears
    an honest one's approval, as [an_honest_operator_has_approved] says. *)
Theorem two_corrupt_of_four_enact_two_charters :
  exists signs a b,
  led_to name Of same_name minute signs genesis a /\ led_to name Of same_name minute signs genesis b /\
  honest name signs one_charter_a_term genesis [true; true; false; false] /\
  honest name signs one_word_a_number genesis [true; true; false; false] /\
  line a = [genesis; first_draft] /\ line b = [genesis; second_draft] /\ first_draft <> second_draft.
Proof.
  exists (signed one_half other_half), (govern (founded name genesis) one_half), (govern (founded name genesis) other_half).
  destruct (both_are_signed one_half other_half) as [one two].
  split; [eexists; split; [reflexivity|exact one]|]. split; [eexists; split; [reflexivity|exact two]|].
  split; [|split; [|vm_compute; repeat split; discriminate]].
  all: intros i key at_i good; destruct i as [|[|[|[|i]]]]; try discriminate; cbn in at_i; [..|destruct i; discriminate].
  all: injection at_i as <-; intros s s'; intros.
  all: repeat match goal with h : signed _ _ _ _ |- _ => apply Exists_exists in h as (? & ? & ? & <-) end.
  all: cbn in *.
  all: repeat match goal with h : _ \/ _ |- _ => destruct h as [<-|h] end; try contradiction; cbn in *; try discriminate; congruence.
Qed.

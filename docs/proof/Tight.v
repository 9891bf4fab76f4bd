(** The bound of promise 10 is tight: for all n, m and t with n < 2m <= n + t and m <= n, two histories go on and finish with two
    outcomes, while every honest party signs one entry a round. *)

From Coq Require Import List Arith Bool Lia.
From WhiteCity Require Import Model Basics Winners Slots Forks.
Import ListNotations.

Lemma count_app a b : count (a ++ b) = count a + count b.
Proof. induction a; simpl; lia. Qed.

Lemma count_below m n : count (map (fun i => i <? m) (seq 0 n)) = Nat.min m n.
Proof.
  induction n as [|n IH]; [simpl; lia|]. rewrite seq_S, map_app, count_app, IH. cbn [Nat.add map count].
  destruct (Nat.ltb_spec n m); lia.
Qed.

Lemma count_outside t m n : t <= m -> count (map (fun i => (i <? t) || (m <=? i)) (seq 0 n)) = Nat.min t n + (n - m).
Proof.
  intro le. induction n as [|n IH]; [simpl; lia|]. rewrite seq_S, map_app, count_app, IH. cbn [Nat.add map count].
  destruct (Nat.ltb_spec n t), (Nat.leb_spec m n); cbn [orb]; lia.
Qed.

Section Tight.

Variable D : Type.
Variable hash : msg D -> D.
Variable zero : D.
Variable same : D -> D -> bool.
Hypothesis same_is_equal : forall a b, same a b = true <-> a = b.

Variable sp : spec.
Let n := parties sp.
Let m := quorum sp.
(** As many corrupt parties as it takes; the spec allows for at least so many. *)
Let t := 2 * m - n.
Hypothesis not_above : 2 * m <= n + corrupt_max sp.
Hypothesis half : n < 2 * m.
Hypothesis possible : m <= n.

(** The first t parties are corrupt. They and the first honest ones are shown one history, they and the others another one. *)
Definition in_a (i : nat) : bool := i <? m.
Definition in_b (i : nat) : bool := (i <? t) || (m <=? i).
(** [corrupt] and [signed], below, are instances of the variables of Forks.v. *)
Definition corrupt : list bool := map (fun i => i <? t) (seq 0 n).

Definition round_by (side : nat -> bool) (f : nat -> entry D) : round D :=
  map (fun i => if side i then Some (f i) else None) (seq 0 n).

Definition joins : round D := round_by (fun _ => true) (fun i => Join i 0).
Definition t0 : D := next D hash (session_id D hash sp) 0 (round_root D hash zero sp joins).
(** Round 1, in which they fork: posts with two contents. *)
Definition posts (side : nat -> bool) (c : nat) : round D := round_by side (fun i => Post 1 i t0 c).
Definition t1 (side : nat -> bool) (c : nat) : D := next D hash t0 1 (round_root D hash zero sp (posts side c)).
(** Round 2: finishes with two outcomes. *)
Definition finishes (side : nat -> bool) (c : nat) : round D := round_by side (fun i => Finish 2 i (t1 side c) c).

Definition signed (i : nat) (e : entry D) : Prop :=
  e = Join i 0 \/
  in_a i = true /\ (e = Post 1 i t0 1 \/ e = Finish 2 i (t1 in_a 1) 1) \/
  in_b i = true /\ (e = Post 1 i t0 2 \/ e = Finish 2 i (t1 in_b 2) 2).

Lemma at_place side f i e :
  nth i (round_by side f) None = Some e -> i < n /\ side i = true /\ e = f i.
Proof.
  intro held. destruct (Nat.lt_ge_cases i n) as [low|high].
  - unfold round_by in held. set (g := fun i => if side i then Some (f i) else None) in held.
    rewrite nth_indep with (d' := g 0), map_nth, seq_nth in held by (rewrite ?map_length, ?seq_length; assumption).
    subst g. simpl in held.
    destruct (side i); [|discriminate]. injection held as <-. auto.
  - rewrite nth_overflow in held by (unfold round_by; rewrite map_length, seq_length; assumption). discriminate.
Qed.

Lemma authors_are side f g : (forall i, group_of (f i) = g) -> authors g (round_by side f) = map side (seq 0 n).
Proof.
  intro kind. unfold authors, round_by. rewrite map_map. apply map_ext. intro i.
  destruct (side i); simpl; [|reflexivity]. apply same_group_iff. apply kind.
Qed.

Lemma wins side f g :
  (forall i, group_of (f i) = g) -> m <= count (map side (seq 0 n)) -> winner sp (round_by side f) = Some (g, map side (seq 0 n)).
Proof.
  intros kind enough. rewrite <- (authors_are side f g kind). apply winner_is_the_group_with_the_quorum.
  - unfold round_by. rewrite map_length, seq_length. reflexivity.
  - assumption.
  - rewrite authors_are by assumption. assumption.
Qed.

Lemma fits r tr who side f :
  (forall i, i < n -> side i = true -> slot_fits D same r tr who i (Some (f i)) = true) ->
  round_fits D same sp r tr who (round_by side f) = true.
Proof.
  intro all. apply round_fits_iff. split; [unfold round_by; rewrite map_length, seq_length; reflexivity|].
  intros i low. destruct (nth i (round_by side f) None) as [e|] eqn:held; [|reflexivity].
  apply at_place in held as (_ & at_side & ->). auto.
Qed.

Lemma side_bit side i : i < n -> bit (map side (seq 0 n)) i = side i.
Proof.
  intro low. unfold bit. rewrite nth_indep with (d' := side 0) by (rewrite map_length, seq_length; assumption).
  rewrite map_nth, seq_nth by assumption. reflexivity.
Qed.

Lemma all_joined : count (map (fun _ => true) (seq 0 n)) = n.
Proof. rewrite <- (seq_length n 0) at 2. induction (seq 0 n); simpl; auto. Qed.

Lemma side_finishes side c :
  m <= count (map side (seq 0 n)) -> outcome D hash zero same sp [joins; posts side c] (finishes side c) = Some c.
Proof.
  intro enough.
  assert (same_self : forall x, same x x = true) by (intro x; apply same_is_equal; reflexivity).
  assert (fits0 : round_fits D same sp 0 (session_id D hash sp) (repeat true (parties sp)) joins = true).
  { apply fits. intros i low _. simpl. unfold bit. rewrite nth_repeat_below by assumption. rewrite Nat.eqb_refl. reflexivity. }
  assert (won0 : winner sp joins = Some (Joins, map (fun _ => true) (seq 0 n))).
  { apply wins; [reflexivity|]. rewrite all_joined. lia. }
  assert (fits1 : round_fits D same sp 1 t0 (map (fun _ => true) (seq 0 n)) (posts side c) = true).
  { apply fits. intros i low _. simpl. rewrite side_bit by assumption. rewrite Nat.eqb_refl, same_self. reflexivity. }
  assert (won1 : winner sp (posts side c) = Some (Posts, map side (seq 0 n))) by (apply wins; auto).
  assert (fits2 : round_fits D same sp 2 (t1 side c) (map side (seq 0 n)) (finishes side c) = true).
  { apply fits. intros i low at_side. simpl. rewrite side_bit by assumption. rewrite Nat.eqb_refl, same_self. assumption. }
  assert (won2 : winner sp (finishes side c) = Some (Finishes c, map side (seq 0 n))) by (apply wins; auto).
  assert (rd : read D hash zero same sp [joins; posts side c] = Some (t1 side c, map side (seq 0 n))).
  { unfold read. cbn [read_from]. rewrite fits0, won0. fold t0. rewrite fits1, won1. reflexivity. }
  unfold outcome. rewrite rd. cbn [length]. rewrite fits2, won2. reflexivity.
Qed.

Lemma side_signed side c :
  (forall i, side i = true -> signed i (Post 1 i t0 c) /\ signed i (Finish 2 i (t1 side c) c)) ->
  all_signed D signed [joins; posts side c] (Some (finishes side c)).
Proof.
  intros all s held i e at_i. simpl in held.
  destruct held as [<-|[<-|[<-|[]]]]; apply at_place in at_i as (_ & at_side & ->).
  - left; reflexivity.
  - apply all, at_side.
  - apply all, at_side.
Qed.

Theorem at_the_bound_two_outcomes_finish :
  parties_behave sp corrupt signed /\
  all_signed D signed [joins; posts in_a 1] (Some (finishes in_a 1)) /\
  all_signed D signed [joins; posts in_b 2] (Some (finishes in_b 2)) /\
  outcome D hash zero same sp [joins; posts in_a 1] (finishes in_a 1) = Some 1 /\
  outcome D hash zero same sp [joins; posts in_b 2] (finishes in_b 2) = Some 2.
Proof.
  split; [|split; [|split; [|split]]].
  - constructor.
    + unfold corrupt. rewrite map_length, seq_length. reflexivity.
    + unfold corrupt. rewrite count_below. fold n. unfold t. lia.
    + intros i low honest. unfold corrupt in honest. rewrite side_bit in honest by assumption.
      apply Nat.ltb_ge in honest.
      assert (either : in_a i = true -> in_b i = true -> False).
      { unfold in_a, in_b. rewrite orb_true_iff, !Nat.ltb_lt, Nat.leb_le. lia. }
      intros e e' se se' later eq.
      destruct se as [->|[[a [->| ->]]|[b [->| ->]]]]; simpl in later, eq; try lia;
        destruct se' as [->|[[a' [->| ->]]|[b' [->| ->]]]]; simpl in eq; try lia; try reflexivity; exfalso; auto.
  - apply side_signed. intros i at_a. split; right; left; auto.
  - apply side_signed. intros i at_b. split; right; right; auto.
  - apply side_finishes. unfold in_a. rewrite count_below. lia.
  - apply side_finishes. unfold in_b. rewrite count_outside by lia. lia.
Qed.

End Tight.

(** What the proofs need of lists, counts and groups. *)

From Coq Require Import List Arith Bool Lia.
From WhiteCity Require Import Model.
Import ListNotations.

(** * Lists *)

Lemma put_length {A} i (x : A) l : length (put i x l) = length l.
Proof. revert i; induction l as [|y l IH]; intros [|i]; simpl; auto. Qed.

Lemma nth_put_same {A} i (x d : A) l : i < length l -> nth i (put i x l) d = x.
Proof. revert i; induction l as [|y l IH]; intros [|i]; simpl; intro; try lia; auto. apply IH; lia. Qed.

Lemma nth_put_other {A} i j (x d : A) l : i <> j -> nth j (put i x l) d = nth j l d.
Proof.
  revert i j; induction l as [|y l IH]; intros [|i] [|j] ne; simpl; auto; try lia.
Qed.

Lemma nth_repeat_any {A} i k (x : A) : nth i (repeat x k) x = x.
Proof. revert i; induction k; intros [|i]; simpl; auto. Qed.

Lemma nth_repeat_below {A} i k (x d : A) : i < k -> nth i (repeat x k) d = x.
Proof. revert i; induction k; intros [|i]; simpl; intro; try lia; auto. apply IHk; lia. Qed.

Lemma forallb_seq p k : forallb p (seq 0 k) = true <-> forall i, i < k -> p i = true.
Proof.
  rewrite forallb_forall. split; intros all i low.
  - apply all, in_seq; lia.
  - apply all. apply in_seq in low; lia.
Qed.

(** * Counting: of two large groups and few corrupt parties *)

Lemma overlap_bound : forall a b c,
  length b = length a -> length c = length a ->
  (forall i, bit a i = true -> bit b i = true -> bit c i = true) ->
  count a + count b <= length a + count c.
Proof.
  unfold bit.
  induction a as [|x a IH]; intros [|y b] [|z c] lb lc all; simpl in *; try lia.
  assert (rest : count a + count b <= length a + count c).
  { apply IH; try lia. intros i; apply (all (S i)). }
  specialize (all 0); simpl in all.
  destruct x, y, z; simpl; try lia; discriminate all; reflexivity.
Qed.

(** Two groups of [m] among [n] parties, at most [t] of them corrupt: an honest party is in both. *)
Lemma overlap n m t a b c :
  length a = n -> length b = n -> length c = n ->
  m <= count a -> m <= count b -> count c <= t -> n + t < 2 * m ->
  exists i, i < n /\ bit a i = true /\ bit b i = true /\ bit c i = false.
Proof.
  intros la lb lc ma mb ct bound.
  destruct (existsb (fun i => bit a i && bit b i && negb (bit c i)) (seq 0 n)) eqn:found.
  - apply existsb_exists in found as (i & low & yes).
    apply in_seq in low. rewrite !andb_true_iff, negb_true_iff in yes.
    exists i; intuition lia.
  - exfalso. assert (count a + count b <= length a + count c); [|lia].
    apply overlap_bound; try lia. intros i ai bi.
    destruct (Nat.lt_ge_cases i n) as [low|high].
    + destruct (bit c i) eqn:ci; [reflexivity|]. exfalso.
      rewrite <- not_true_iff_false in found. apply found, existsb_exists.
      exists i. split; [apply in_seq; lia|]. rewrite ai, bi, ci; reflexivity.
    + unfold bit in ai. rewrite nth_overflow in ai; [discriminate|lia].
Qed.

Lemma count_repeat_false k : count (repeat false k) = 0.
Proof. induction k; simpl; auto. Qed.

Lemma count_repeat_true k : count (repeat true k) = k.
Proof. induction k; simpl; auto. Qed.

(** * Groups *)

Lemma same_group_iff a b : same_group a b = true <-> a = b.
Proof.
  destruct a, b; simpl; split; intro h; try discriminate; auto.
  - apply Nat.eqb_eq in h; subst; auto.
  - injection h as ->; apply Nat.eqb_refl.
Qed.

Lemma authors_length {D} g (s : round D) : length (authors g s) = length s.
Proof. apply map_length. Qed.

Lemma author_iff {D} g (s : round D) i :
  bit (authors g s) i = true <-> exists e, nth i s None = Some e /\ group_of e = g.
Proof.
  unfold bit, authors.
  change false with (in_group (D := D) g None). rewrite map_nth.
  destruct (nth i s None) as [e|]; simpl; split.
  - intro h; apply same_group_iff in h; eauto.
  - intros (e' & same & <-); injection same as <-. apply same_group_iff; reflexivity.
  - discriminate.
  - intros (e' & no & _); discriminate.
Qed.

Lemma filled_iff {D} (s : round D) i : bit (filled s) i = true <-> exists e, nth i s None = Some e.
Proof.
  unfold bit, filled.
  change false with (is_filled (D := D) None). rewrite map_nth.
  destruct (nth i s None) as [e|]; simpl; split; eauto; try discriminate.
  intros (e & no); discriminate.
Qed.

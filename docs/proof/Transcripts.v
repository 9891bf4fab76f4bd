(** Transcripts determine histories, leaves determine sessions, and readers with the same leaf read the same round.

    The hash is a function of which different things have different values, and of which no value is that of what is absent. SHA-256 is
    no such function: what is proved holds as long as nobody finds a collision. *)

From Coq Require Import List Arith Bool Lia.
From WhiteCity Require Import Model Basics Winners Slots.
Import ListNotations.

Section Transcripts.

Variable D : Type.
Variable hash : msg D -> D.
Variable zero : D.
Variable same : D -> D -> bool.
Hypothesis same_is_equal : forall a b, same a b = true <-> a = b.
Hypothesis hash_is_injective : forall a b, hash a = hash b -> a = b.
Hypothesis no_hash_is_zero : forall a, hash a <> zero.

Notation tree := (tree D hash zero).
Notation slot_leaf := (slot_leaf D hash zero).
Notation digest := (digest D hash).
Notation session_id := (session_id D hash).
Notation round_root := (round_root D hash zero).
Notation next := (next D hash).
Notation chain := (chain D hash).
Notation leaf := (leaf D hash zero).
Notation read := (read D hash zero same).
Notation read_from := (read_from D hash zero same).
Notation reachable := (reachable D hash zero same).

(** ** Trees *)

Lemma tree_is_injective d : forall a b, length a = 2 ^ d -> length b = 2 ^ d -> tree d a = tree d b -> a = b.
Proof.
  induction d as [|d IH]; intros a b la lb eq; simpl in *.
  - destruct a as [|x [|]]; simpl in la; try lia. destruct b as [|y [|]]; simpl in lb; try lia. simpl in eq; congruence.
  - apply hash_is_injective in eq. injection eq as left right.
    rewrite <- (firstn_skipn (2 ^ d) a), <- (firstn_skipn (2 ^ d) b).
    f_equal; apply IH; rewrite ?firstn_length, ?skipn_length; try assumption; lia.
Qed.

Lemma digest_is_injective sp a b : digest sp a = digest sp b -> a = b.
Proof. destruct a, b; simpl; intro eq; apply hash_is_injective in eq; congruence. Qed.

Lemma slot_leaf_is_injective sp a b : slot_leaf sp a = slot_leaf sp b -> a = b.
Proof.
  destruct a, b; simpl; intro eq; auto.
  - apply hash_is_injective in eq. injection eq as eq. apply digest_is_injective in eq. congruence.
  - exfalso. eapply no_hash_is_zero; eassumption.
  - exfalso. eapply no_hash_is_zero; symmetry; eassumption.
Qed.

Lemma leaves_are_injective sp : forall a b, map (slot_leaf sp) a = map (slot_leaf sp) b -> a = b.
Proof.
  induction a as [|x a IH]; intros [|y b] eq; simpl in eq; try discriminate; auto.
  injection eq as head tail. apply slot_leaf_is_injective in head. f_equal; auto.
Qed.

Lemma enough_leaves n : n <= 2 ^ Nat.log2_up n.
Proof.
  destruct (Nat.le_gt_cases n 1) as [low|high].
  - pose proof (Nat.pow_nonzero 2 (Nat.log2_up n)). lia.
  - apply Nat.log2_up_spec. assumption.
Qed.

(** A root determines what its round's slots hold, and which are empty. *)
Theorem a_root_determines_its_round sp a b :
  length a = parties sp -> length b = parties sp -> round_root sp a = round_root sp b -> a = b.
Proof.
  intros la lb eq. unfold Model.round_root in eq. pose proof (enough_leaves (parties sp)) as enough.
  apply tree_is_injective in eq; rewrite ?app_length, ?map_length, ?repeat_length; try lia.
  apply app_inv_tail in eq. eapply leaves_are_injective; eassumption.
Qed.

(** ** Chains *)

Lemma chain_app l x : forall t r, chain t r (l ++ [x]) = next (chain t r l) (r + length l) x.
Proof.
  induction l as [|y l IH]; intros t r; simpl.
  - rewrite Nat.add_0_r; reflexivity.
  - rewrite IH. f_equal. lia.
Qed.

Lemma chains_are_injective sp sp' l l' :
  chain (session_id sp) 0 l = chain (session_id sp') 0 l' -> sp = sp' /\ l = l'.
Proof.
  revert l'. induction l as [|x l IH] using rev_ind; intro l'; destruct l' as [|x' l' _] using rev_ind;
    rewrite ?chain_app; simpl; intro eq; apply hash_is_injective in eq; try discriminate.
  - split; congruence.
  - injection eq as before _ root. destruct (IH _ before) as [-> ->]. subst. auto.
Qed.

Lemma read_is_chained sp rounds : forall r t who t' who',
  read_from sp r t who rounds = Some (t', who') ->
  t' = chain t r (map (round_root sp) rounds) /\ Forall (fun s => length s = parties sp) rounds.
Proof.
  induction rounds as [|s rounds IH]; intros r t who t' who' ok.
  - injection ok as <- <-. auto.
  - cbn [Model.read_from] in ok. destruct (round_fits D same sp r t who s) eqn:fits; [|discriminate].
    apply round_fits_iff in fits as [len _].
    destruct (winner sp s) as [[[| |o] w]|]; try discriminate; apply IH in ok as [-> all]; auto.
Qed.

Lemma roots_determine_rounds sp : forall a b,
  Forall (fun s => length s = parties sp) a -> Forall (fun s => length s = parties sp) b ->
  map (round_root sp) a = map (round_root sp) b -> a = b.
Proof.
  induction a as [|x a IH]; intros [|y b] la lb eq; simpl in eq; try discriminate; auto.
  inversion la; inversion lb; subst. injection eq as head tail.
  f_equal; [eapply a_root_determines_its_round; eassumption|auto].
Qed.

(** Whoever has read up to the same transcript has read the same rounds of the same session, with the same members left. *)
Theorem transcripts_determine_histories sp sp' rounds rounds' t who who' :
  read sp rounds = Some (t, who) -> read sp' rounds' = Some (t, who') ->
  sp = sp' /\ rounds = rounds' /\ who = who'.
Proof.
  intros a b. pose proof a as a'. pose proof b as b'.
  apply read_is_chained in a' as [ta la]. apply read_is_chained in b' as [tb lb].
  rewrite ta in tb. apply chains_are_injective in tb as [<- roots].
  apply roots_determine_rounds in roots; [|assumption|assumption]. subst rounds'.
  split; [reflexivity|]. split; [reflexivity|]. congruence.
Qed.

(** ** Leaves *)

(** One leaf is that of one state of one session: nothing that the model has can differ. *)
Theorem a_leaf_determines_the_session sp sp' st st' :
  reachable sp st -> reachable sp' st' -> leaf sp st = leaf sp' st' -> sp = sp' /\ st = st'.
Proof.
  intros r r' eq.
  pose proof (reachable_sound D hash zero same sp st r) as [sr sf sn _].
  pose proof (reachable_sound D hash zero same sp' st' r') as [sr' sf' sn' _].
  apply hash_is_injective in eq. injection eq as sid ph op mb tr root dl cb ca en lv.
  rewrite <- tr in sr'. destruct (transcripts_determine_histories _ _ _ _ _ _ _ sr sr') as (<- & cl & me).
  apply round_fits_iff in sf as [len _]. apply round_fits_iff in sf' as [len' _].
  apply a_root_determines_its_round in root; [|assumption|assumption].
  assert (ending st = ending st').
  { destruct (ending st), (ending st'); auto.
    - apply hash_is_injective in en. congruence.
    - exfalso. eapply no_hash_is_zero; eassumption.
    - exfalso. eapply no_hash_is_zero; symmetry; eassumption. }
  assert (leavers st = leavers st').
  { destruct (leavers st), (leavers st'); auto.
    - exfalso. eapply no_hash_is_zero; symmetry; eassumption.
    - exfalso. eapply no_hash_is_zero; eassumption.
    - apply hash_is_injective in lv. congruence. }
  split; [reflexivity|]. destruct st, st'; simpl in *; subst. reflexivity.
Qed.

(** What a reader has when it reads round [r] under a leaf, whoever made the leaf: it knows the spec, has a root for each round, chains
    those of the closed rounds to the leaf's transcript, has the last one, [root], in the leaf itself, and hashes the round's slots to one
    of them. That leaf need not be one that a board can come to. *)
Definition reads_round (sp : spec) (l : D) (roots : list D) (root : D) (r : nat) (s : round D) : Prop :=
  (exists ph op members deadline blocks who ending left,
    l = hash (MLeaf (session_id sp) ph op members (chain (session_id sp) 0 roots) root deadline blocks who ending left)) /\
  nth_error (roots ++ [root]) r = Some (round_root sp s) /\
  length s = parties sp.

(** Readers with the same leaf read the same round: every slot the same, filled or empty, whichever replicas they ask, however many
    of those lie. *)
Theorem readers_with_the_same_leaf_read_the_same_round sp sp' l roots roots' root root' r s s' :
  reads_round sp l roots root r s -> reads_round sp' l roots' root' r s' ->
  sp = sp' /\ roots = roots' /\ root = root' /\ s = s'.
Proof.
  intros ((ph & op & mb & dl & bl & who & en & lv & made) & at_r & len) ((ph' & op' & mb' & dl' & bl' & who' & en' & lv' & made') & at_r' & len').
  rewrite made in made'. apply hash_is_injective in made'. injection made' as _ _ _ _ tr eq_root _ _ _ _ _. subst root'.
  apply chains_are_injective in tr as [<- <-].
  split; [reflexivity|]. split; [reflexivity|]. split; [reflexivity|].
  rewrite at_r in at_r'. injection at_r' as eq. eapply a_root_determines_its_round; eassumption.
Qed.

(** And it is the round that an honest board had, closed or the last one, if the leaf is one of its. *)
Theorem a_reader_reads_the_round_that_the_board_had sp sp' st roots root r s :
  reachable sp st -> reads_round sp' (leaf sp st) roots root r s -> sp' = sp /\ nth_error (closed st ++ [slots st]) r = Some s.
Proof.
  intros reached ((ph & op & mb & dl & bl & who & en & lv & made) & at_r & len).
  pose proof (reachable_sound D hash zero same sp st reached) as [sr last_fits _ _].
  assert (last_length : length (slots st) = parties sp) by (apply round_fits_iff in last_fits; tauto).
  apply read_is_chained in sr as [tr all].
  apply hash_is_injective in made. injection made as _ _ _ _ tr' eq_root _ _ _ _ _.
  rewrite tr in tr'. apply chains_are_injective in tr' as [<- <-]. split; [reflexivity|].
  assert (every : map (round_root sp) (closed st) ++ [root] = map (round_root sp) (closed st ++ [slots st]))
    by (rewrite map_app, <- eq_root; reflexivity).
  rewrite every, nth_error_map in at_r. destruct (nth_error (closed st ++ [slots st]) r) as [c|] eqn:at_c; [|discriminate].
  simpl in at_r. injection at_r as eq. f_equal.
  eapply a_root_determines_its_round; try eassumption.
  apply nth_error_In in at_c. apply in_app_or in at_c as [old|[<-|[]]]; [|exact last_length].
  rewrite Forall_forall in all. apply all, old.
Qed.

End Transcripts.

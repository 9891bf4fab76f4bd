(** Promise 10: of two histories at most one goes on, and at most one outcome is finished, if 2m > n + t. Replicas don't occur: all of
    them may be malicious, and show whatever bears its parties' signatures. *)

From Coq Require Import List Arith Bool Lia.
From WhiteCity Require Import Model Basics Winners Slots Transcripts.
Import ListNotations.

Definition entry_round {D} (e : entry D) : nat := match e with Join _ _ => 0 | Post r _ _ _ | Finish r _ _ _ => r end.

(** What an honest party does: of all entries for one round, from round 1 on, it signs one. *)
Definition signs_one_entry_a_round {D} (signed : entry D -> Prop) : Prop :=
  forall e e', signed e -> signed e' -> 0 < entry_round e -> entry_round e = entry_round e' -> e = e'.

(** [corrupt] says who is corrupt, of a roster whose other members are honest; there are no more of them than the spec says. [signed i e]:
    at some time, in whatever history, party [i] has signed [digest sp e], that is, [e] for this session; signatures for other
    sessions are other digests. *)
Record parties_behave {D} (sp : spec) (corrupt : list bool) (signed : nat -> entry D -> Prop) : Prop := {
  corrupt_length : length corrupt = parties sp;
  corrupt_count : count corrupt <= corrupt_max sp;
  honest_sign_once : forall i, i < parties sp -> bit corrupt i = false -> signs_one_entry_a_round (signed i) }.

Definition bears_signatures {D} (signed : nat -> entry D -> Prop) (s : round D) : Prop :=
  forall i e, nth i s None = Some e -> signed i e.

Section Forks.

Variable D : Type.
Variable hash : msg D -> D.
Variable zero : D.
Variable same : D -> D -> bool.
Hypothesis same_is_equal : forall a b, same a b = true <-> a = b.
Hypothesis hash_is_injective : forall a b, hash a = hash b -> a = b.
Hypothesis no_hash_is_zero : forall a, hash a <> zero.

Notation read := (read D hash zero same).
Notation read_from := (read_from D hash zero same).
Notation outcome := (outcome D hash zero same).
Notation round_fits := (round_fits D same).
Notation round_root := (round_root D hash zero).
Notation reachable := (reachable D hash zero same).

(** A history that somebody shows: closed rounds, and the round that finishes the session, if there is one. A reader takes it, as far as
    form goes; that it also checks signatures is [all_signed], a premise of its own. *)
Definition is_taken (sp : spec) (rounds : list (round D)) (last : option (round D)) : Prop :=
  match last with
  | None => exists t who, read sp rounds = Some (t, who)
  | Some s => exists o, outcome sp rounds s = Some o
  end.

Definition all_rounds (rounds : list (round D)) (last : option (round D)) : list (round D) :=
  rounds ++ match last with Some s => [s] | None => [] end.

Definition all_signed (signed : nat -> entry D -> Prop) rounds last : Prop :=
  forall s, In s (all_rounds rounds last) -> bears_signatures signed s.

(** It has passed round [r]: round [r] is closed, or finished the session. *)
Definition has_passed (rounds : list (round D)) (last : option (round D)) (r : nat) : Prop := r < length (all_rounds rounds last).

(** ** Of one round *)

(** Two rounds with the same number, each with a quorum: they follow the same transcript, and say the same. *)
Lemma one_quorum_a_round sp corrupt signed r t t' who who' s s' g g' w w' :
  parties_behave sp corrupt signed ->
  parties sp + corrupt_max sp < 2 * quorum sp ->
  0 < r ->
  round_fits sp r t who s = true -> round_fits sp r t' who' s' = true ->
  bears_signatures signed s -> bears_signatures signed s' ->
  winner sp s = Some (g, w) -> winner sp s' = Some (g', w') ->
  t = t' /\ g = g'.
Proof.
  intros [len few once] bound later fits fits' signs signs' won won'.
  apply winner_has_quorum in won as [-> enough]. apply winner_has_quorum in won' as [-> enough'].
  assert (ls : length s = parties sp) by (apply round_fits_iff in fits; tauto).
  assert (ls' : length s' = parties sp) by (apply round_fits_iff in fits'; tauto).
  destruct (overlap (parties sp) (quorum sp) (corrupt_max sp) (authors g s) (authors g' s') corrupt)
    as (i & low & ig & ig' & honest); rewrite ?authors_length; auto.
  apply author_iff in ig as (e & held & <-). apply author_iff in ig' as (e' & held' & <-).
  pose proof (fitting_entry D same same_is_equal _ _ _ _ _ _ _ fits held) as (_ & _ & fit).
  pose proof (fitting_entry D same same_is_equal _ _ _ _ _ _ _ fits' held') as (_ & _ & fit').
  assert (eq : e = e').
  { apply (once i low honest); [apply signs; assumption|apply signs'; assumption|..]; destruct e, e'; simpl in *; lia. }
  subst e'. split; [|reflexivity]. destruct e; [lia| |]; destruct fit as (_ & _ & _ & <-); destruct fit' as (_ & _ & _ & <-); reflexivity.
Qed.

(** A round in which everybody joins finishes nothing. *)
Lemma finishing_is_later sp r t who s o w :
  round_fits sp r t who s = true -> winner sp s = Some (Finishes o, w) -> 0 < r.
Proof.
  intros fits won. unfold winner in won. destruct find as [[e|]|] eqn:found; try discriminate.
  injection won as eg _. apply find_some in found as [held _]. apply In_nth with (d := None) in held as (i & _ & held).
  eapply fitting_entry in fits; [|eassumption|eassumption]. destruct e; simpl in eg; try discriminate. intuition.
Qed.

(** ** Of whole histories *)

Lemma outcome_is_read sp rounds s o :
  outcome sp rounds s = Some o ->
  exists t who w, read sp rounds = Some (t, who) /\ round_fits sp (length rounds) t who s = true /\ winner sp s = Some (Finishes o, w).
Proof.
  unfold Model.outcome. destruct (Model.read D hash zero same sp rounds) as [[t who]|]; [|discriminate].
  destruct (Model.round_fits D same sp (length rounds) t who s) eqn:fits; [|discriminate].
  destruct (winner sp s) as [[[| |p] w]|] eqn:won; try discriminate. intro eq; injection eq as ->. eauto 10.
Qed.

(** A round that a history has passed had a quorum, after a transcript that says all before it. *)
Lemma passed_round sp rounds last r :
  is_taken sp rounds last -> has_passed rounds last r ->
  exists t who s g w,
    In s (all_rounds rounds last) /\ read sp (firstn r rounds) = Some (t, who) /\ round_fits sp r t who s = true /\
    winner sp s = Some (g, w).
Proof.
  intros taken passed. unfold has_passed, all_rounds in passed. rewrite app_length in passed.
  destruct (Nat.lt_ge_cases r (length rounds)) as [low|high].
  - destruct (nth_error rounds r) as [s|] eqn:at_r; [|apply nth_error_None in at_r; lia].
    assert (exists t who, read sp rounds = Some (t, who)) as (t' & who' & rd).
    { destruct last; simpl in taken; [|assumption].
      destruct taken as (o & taken). apply outcome_is_read in taken as (t & who & _ & rd & _). eauto. }
    destruct (round_of_reading D hash zero same _ _ _ _ _ _ _ _ _ rd at_r) as (t & who & g & w & rd' & fits & won & _).
    exists t, who, s, g, w. repeat split; auto. apply in_or_app. left. eapply nth_error_In; eassumption.
  - destruct last as [s|]; simpl in *; [|lia]. assert (r = length rounds) as -> by lia.
    destruct taken as (o & taken). apply outcome_is_read in taken as (t & who & w & rd & fits & won).
    exists t, who, s, (Finishes o), w. rewrite firstn_all. repeat split; auto. apply in_or_app. right. simpl. auto.
Qed.

(** At most one of two histories goes on: if both have passed round r + 1, they are the same up to round r. So once two histories differ in
    a round, at most one of them ever passes the next. *)
Theorem at_most_one_history_goes_on sp corrupt signed a last b last' r :
  parties_behave sp corrupt signed ->
  parties sp + corrupt_max sp < 2 * quorum sp ->
  is_taken sp a last -> is_taken sp b last' ->
  all_signed signed a last -> all_signed signed b last' ->
  has_passed a last (S r) -> has_passed b last' (S r) ->
  firstn (S r) a = firstn (S r) b.
Proof.
  intros behave bound ta tb sa sb pa pb.
  destruct (passed_round _ _ _ _ ta pa) as (t & who & s & g & w & held & rd & fits & won).
  destruct (passed_round _ _ _ _ tb pb) as (t' & who' & s' & g' & w' & held' & rd' & fits' & won').
  assert (0 < S r) as later by lia.
  destruct (one_quorum_a_round _ _ _ _ _ _ _ _ _ _ _ _ _ _ behave bound later fits fits' (sa _ held) (sb _ held') won won') as [<- _].
  destruct (transcripts_determine_histories D hash zero same hash_is_injective no_hash_is_zero _ _ _ _ _ _ _ rd rd') as (_ & eq & _).
  exact eq.
Qed.

(** A finish is the last: if one history finishes in round r, no other closes round r otherwise, and goes on. *)
Theorem a_finish_is_the_last sp corrupt signed a last o b last' :
  parties_behave sp corrupt signed ->
  parties sp + corrupt_max sp < 2 * quorum sp ->
  outcome sp a last = Some o -> is_taken sp b last' ->
  all_signed signed a (Some last) -> all_signed signed b last' ->
  length b <= length a.
Proof.
  intros behave bound fa tb sa sb. destruct (Nat.le_gt_cases (length b) (length a)) as [low|low]; [assumption|exfalso].
  apply outcome_is_read in fa as (t & who & w & _ & fits & won).
  assert (exists t who, read sp b = Some (t, who)) as (t' & who' & rd).
  { destruct last' as [s|]; simpl in tb; [|assumption].
    destruct tb as (o' & tb). apply outcome_is_read in tb as (t' & who' & _ & rd & _). eauto. }
  destruct (nth_error b (length a)) as [s|] eqn:at_a; [|apply nth_error_None in at_a; lia].
  destruct (round_of_reading D hash zero same _ _ _ _ _ _ _ _ _ rd at_a) as (t2 & who2 & g2 & w2 & _ & fits2 & won2 & kind).
  assert (later : 0 < length a) by exact (finishing_is_later _ _ _ _ _ _ _ fits won).
  assert (signs : bears_signatures signed last) by (apply sa, in_or_app; right; simpl; auto).
  assert (signs2 : bears_signatures signed s) by (apply sb, in_or_app; left; eapply nth_error_In; eassumption).
  destruct (one_quorum_a_round _ _ _ _ _ _ _ _ _ _ _ _ _ _ behave bound later fits fits2 signs signs2 won won2) as [_ <-].
  destruct kind; discriminate.
Qed.

(** At most one outcome is finished, whichever histories lead there. *)
Theorem at_most_one_outcome_finishes sp corrupt signed a last o b last' o' :
  parties_behave sp corrupt signed ->
  parties sp + corrupt_max sp < 2 * quorum sp ->
  outcome sp a last = Some o -> outcome sp b last' = Some o' ->
  all_signed signed a (Some last) -> all_signed signed b (Some last') ->
  o = o'.
Proof.
  intros behave bound fa fb sa sb.
  assert (taken : forall x lx ox, outcome sp x lx = Some ox -> is_taken sp x (Some lx)) by (simpl; eauto).
  pose proof (a_finish_is_the_last _ _ _ _ _ _ _ _ behave bound fa (taken _ _ _ fb) sa sb) as le.
  pose proof (a_finish_is_the_last _ _ _ _ _ _ _ _ behave bound fb (taken _ _ _ fa) sb sa) as ge.
  assert (eq : length a = length b) by lia.
  apply outcome_is_read in fa as (t & who & w & _ & fits & won).
  apply outcome_is_read in fb as (t' & who' & w' & _ & fits' & won').
  rewrite <- eq in fits'.
  assert (later : 0 < length a) by exact (finishing_is_later _ _ _ _ _ _ _ fits won).
  assert (signs : bears_signatures signed last) by (apply sa, in_or_app; right; simpl; auto).
  assert (signs' : bears_signatures signed last') by (apply sb, in_or_app; right; simpl; auto).
  destruct (one_quorum_a_round _ _ _ _ _ _ _ _ _ _ _ _ _ _ behave bound later fits fits' signs signs' won won') as [_ same_group_].
  congruence.
Qed.

(** The same of two boards that both keep the rules, for whomever they are kept. *)
Theorem at_most_one_board_finishes sp corrupt signed st st' e e' :
  parties_behave sp corrupt signed ->
  parties sp + corrupt_max sp < 2 * quorum sp ->
  reachable sp st -> reachable sp st' ->
  all_signed signed (closed st) (Some (slots st)) -> all_signed signed (closed st') (Some (slots st')) ->
  phase st = Finished -> phase st' = Finished -> ending st = Some e -> ending st' = Some e' ->
  end_outcome e = end_outcome e'.
Proof.
  intros behave bound r r' sg sg' ph ph' en en'.
  destruct (a_reader_takes_every_outcome _ _ _ _ _ _ _ r ph en) as (o & -> & out).
  destruct (a_reader_takes_every_outcome _ _ _ _ _ _ _ r' ph' en') as (o' & -> & out').
  f_equal. eapply at_most_one_outcome_finishes; eassumption.
Qed.

End Forks.

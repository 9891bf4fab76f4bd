(** Slots and rounds: what is filled stays, what is closed stays, what has ended stays; and a reader takes all that the machine does. *)

From Coq Require Import List Arith Bool Lia.
From WhiteCity Require Import Model Basics Winners.
Import ListNotations.

Section Slots.

Variable D : Type.
Variable hash : msg D -> D.
Variable zero : D.
Variable same : D -> D -> bool.
Hypothesis same_is_equal : forall a b, same a b = true <-> a = b.

Notation step := (step D hash zero same).
Notation run := (run D hash zero same).
Notation settle := (settle D hash zero).
Notation opened := (opened D hash).
Notation apply := (apply D same).
Notation apply_all := (apply_all D same).
Notation read := (read D hash zero same).
Notation read_from := (read_from D hash zero same).
Notation round_fits := (round_fits D same).
Notation round_root := (round_root D hash zero).
Notation next := (next D hash).
Notation outcome := (outcome D hash zero same).

(** What a slot holds, of a closed round or of the open one. *)
Definition slot_at (st : state D) (r i : nat) : slot D := nth i (nth r (closed st ++ [slots st]) []) None.

(** The states that a session of this spec can come to. Blocks are arbitrary, their times may go back and their heights repeat: so these are
    at least the states that there are. *)
Definition reachable (sp : spec) (st : state D) : Prop := exists bs, st = run sp (opened sp) bs.

(** ** Steps, one kind of change at a time *)

(** Nothing has changed but that empty slots of the open round may be filled, and what only the clock and leaving touch. *)
Record fills (st st' : state D) : Prop := {
  fills_phase : phase st' = phase st;
  fills_round : open_round st' = open_round st;
  fills_transcript : transcript st' = transcript st;
  fills_members : members st' = members st;
  fills_closed : closed st' = closed st;
  fills_ending : ending st' = ending st;
  fills_length : length (slots st') = length (slots st);
  fills_kept : forall i e, nth i (slots st) None = Some e -> nth i (slots st') None = Some e }.

Lemma fills_refl st : fills st st.
Proof. constructor; auto. Qed.

Lemma fills_trans a b c : fills a b -> fills b c -> fills a c.
Proof. intros [] []; constructor; try congruence; auto. Qed.

Lemma clock_fills st until blocks who : fills st (with_clock D st until blocks who).
Proof. constructor; auto. Qed.

Lemma takes_an_empty_slot sp st e : takes D same sp st e = true -> nth (index e) (slots st) None = None.
Proof.
  unfold takes. destruct e; simpl; destruct (phase st), (nth i (slots st) None);
    simpl; rewrite ?andb_true_iff, ?andb_false_r; intuition (try discriminate).
  all: destruct (is_joining st); simpl in *; rewrite ?andb_false_r in *; simpl in *; discriminate.
Qed.

Lemma apply_fills sp st x st' : apply sp st x = Some st' -> fills st st'.
Proof.
  destruct x as [e|i l]; simpl.
  - destruct takes eqn:ok; intro eq; inversion eq; subst; clear eq.
    constructor; simpl; auto.
    + apply put_length.
    + intros j e' held. destruct (Nat.eq_dec (index e) j) as [<-|ne].
      * rewrite (takes_an_empty_slot _ _ _ ok) in held; discriminate.
      * rewrite nth_put_other; auto.
  - destruct lets_go; intro eq; inversion eq; subst. constructor; auto.
Qed.

Lemma apply_all_fills sp l : forall st, fills st (fst (fst (apply_all sp st l))).
Proof.
  induction l as [|x l IH]; intro st; simpl; [apply fills_refl|].
  destruct (apply sp st x) as [st'|] eqn:ok.
  - specialize (IH st'). destruct (apply_all sp st' l) as [[st'' taken] carried]; simpl in *.
    eapply fills_trans; [eapply apply_fills; eassumption|assumption].
  - specialize (IH st). destruct (apply_all sp st l) as [[st'' taken] carried]; exact IH.
Qed.

(** How a block may end. *)
Inductive settles (sp : spec) (st : state D) : state D -> Prop :=
  | settles_nothing : settles sp st st
  | settles_end b s c by_ o : is_live st = true ->
      (s = Aborted /\ o = None \/ s = Finished /\ exists p who, o = Some p /\ winner sp (slots st) = Some (Finishes p, who)) ->
      settles sp st (end_with D sp b st s c by_ o)
  | settles_next g who : is_live st = true ->
      winner sp (slots st) = Some (g, who) -> g = Joins \/ g = Posts ->
      settles sp st (advance D hash zero sp st who)
  | settles_next_and_end g who b c by_ : is_live st = true ->
      winner sp (slots st) = Some (g, who) -> g = Joins \/ g = Posts ->
      settles sp st (end_with D sp b (advance D hash zero sp st who) Aborted c by_ None).

Lemma settle_settles sp b over st : settles sp st (settle sp b over st).
Proof.
  unfold Model.settle, end_if_too_few.
  destruct (is_live st) eqn:live; simpl; [|constructor].
  destruct (remaining D sp st <? quorum sp); [constructor; auto|].
  destruct ((0 <? awaited D sp st) && negb over); [constructor|].
  destruct (winner sp (slots st)) as [[[| |o] who]|] eqn:w.
  - destruct (max_rounds sp <=? open_round st); [constructor; auto|].
    destruct (quorum sp <=? _); econstructor; eauto.
  - destruct (max_rounds sp <=? open_round st); [constructor; auto|].
    destruct (quorum sp <=? _); econstructor; eauto.
  - constructor; auto. right; eauto.
  - constructor; auto.
Qed.

Lemma step_is sp st b : exists mid, fills st mid /\ settles sp mid (fst (step sp st b)).
Proof.
  unfold Model.step.
  pose proof (apply_all_fills sp (txs b) (start_clock D sp b st)) as filled_.
  destruct (apply_all sp (start_clock D sp b st) (txs b)) as [[st' taken] carried]; simpl in *.
  exists (if in_last_call D b st then count_call D b carried st' else st'). split.
  - apply fills_trans with (start_clock D sp b st).
    { unfold start_clock. destruct (_ && _); [apply clock_fills|apply fills_refl]. }
    apply fills_trans with st'; [assumption|].
    destruct in_last_call; [apply clock_fills|apply fills_refl].
  - apply settle_settles.
Qed.

(** ** What stays *)

(** One entry a slot: what it holds, it holds after any block. *)
Lemma a_filled_slot_stays_in_a_block sp st b r i e :
  slot_at st r i = Some e -> slot_at (fst (step sp st b)) r i = Some e.
Proof.
  destruct (step_is sp st b) as (mid & [_ _ _ _ fc _ _ fk] & s). intro held.
  assert (at_mid : slot_at mid r i = Some e).
  { unfold slot_at in *. rewrite fc.
    destruct (Nat.lt_trichotomy r (length (closed st))) as [low|[->|high]].
    - rewrite app_nth1 in * by assumption. assumption.
    - rewrite app_nth2, Nat.sub_diag in * by lia. simpl in *. auto.
    - rewrite (nth_overflow (_ ++ _)) in held by (rewrite app_length; simpl; lia). destruct i; discriminate. }
  assert (in_next : forall last, nth i (nth r ((closed mid ++ [slots mid]) ++ [last]) []) None = Some e).
  { intro last. unfold slot_at in at_mid.
    destruct (Nat.lt_ge_cases r (length (closed mid ++ [slots mid]))) as [low|high].
    - rewrite app_nth1 by assumption. assumption.
    - rewrite (nth_overflow (_ ++ _)) in at_mid by assumption. destruct i; discriminate. }
  destruct s; unfold slot_at; simpl; auto.
Qed.

Theorem a_filled_slot_stays sp st bs r i e :
  slot_at st r i = Some e -> slot_at (run sp st bs) r i = Some e.
Proof.
  revert st. induction bs as [|b bs IH]; intros st held; simpl; [assumption|].
  apply IH, a_filled_slot_stays_in_a_block, held.
Qed.

(** A closed round never changes: neither what is in it, nor what isn't. *)
Theorem a_closed_round_stays sp st bs r s :
  nth_error (closed st) r = Some s -> nth_error (closed (run sp st bs)) r = Some s.
Proof.
  revert st. induction bs as [|b bs IH]; intros st held; simpl; [assumption|]. apply IH. clear IH.
  assert (low : r < length (closed st)) by (apply nth_error_Some; congruence).
  destruct (step_is sp st b) as (mid & [_ _ _ _ fc _ _ _] & s'). rewrite <- fc in held, low.
  destruct s'; simpl; auto; rewrite nth_error_app1; assumption.
Qed.

(** A session that has ended stays as it is: whatever comes, nothing of it changes. *)
Theorem an_ended_session_stays sp st bs : is_live st = false -> run sp st bs = st.
Proof.
  intro dead. induction bs as [|b bs IH]; simpl; [reflexivity|].
  assert (none : forall l, exists taken, apply_all sp st l = (st, taken, false)).
  { induction l as [|x l (taken & IHl)]; simpl; [eauto|].
    assert (no : apply sp st x = None).
    { unfold is_live in dead. destruct x as [[]|]; simpl; unfold lets_go, is_joining;
        destruct (phase st); try discriminate; rewrite ?andb_false_r; reflexivity. }
    rewrite no, IHl. eauto. }
  assert (stays : fst (step sp st b) = st).
  { unfold Model.step, start_clock, in_last_call. rewrite dead; simpl.
    destruct (none (txs b)) as (taken & ->). simpl. unfold Model.settle. rewrite dead. reflexivity. }
  rewrite stays. exact IH.
Qed.

(** ** A reader takes what the machine does *)

Lemma round_fits_iff sp r t who s :
  round_fits sp r t who s = true <->
  length s = parties sp /\ forall i, i < parties sp -> slot_fits D same r t who i (nth i s None) = true.
Proof.
  unfold Model.round_fits. rewrite andb_true_iff, Nat.eqb_eq.
  rewrite (forallb_seq (fun i => slot_fits D same r t who i (nth i s None))). reflexivity.
Qed.

Lemma read_from_app sp l s : forall r t who,
  read_from sp r t who (l ++ [s]) =
  match read_from sp r t who l with
  | Some (t, who) => read_from sp (r + length l) t who [s]
  | None => None
  end.
Proof.
  induction l as [|x l IH]; intros r t who.
  - simpl app. cbn [length Model.read_from]. rewrite Nat.add_0_r. reflexivity.
  - cbn [app length Model.read_from]. destruct (Model.round_fits D same sp r t who x); [|reflexivity].
    destruct (winner sp x) as [[[| |o] who']|]; try reflexivity;
      rewrite IH; replace (S r + length l) with (r + S (length l)) by lia; reflexivity.
Qed.

(** What holds in every state that a session can come to. *)
Record sound (sp : spec) (st : state D) : Prop := {
  sound_read : read sp (closed st) = Some (transcript st, members st);
  sound_fits : round_fits sp (open_round st) (transcript st) (members st) (slots st) = true;
  sound_round : open_round st = length (closed st);
  sound_phase :
    match phase st with
    | Joining => open_round st = 0 /\ ending st = None
    | Running => 0 < open_round st /\ ending st = None
    | Finished => exists e o who, ending st = Some e /\ end_outcome e = Some o /\ winner sp (slots st) = Some (Finishes o, who)
    | Aborted => exists e, ending st = Some e /\ end_outcome e = None
    end }.

Lemma empty_fits sp r t who : round_fits sp r t who (repeat None (parties sp)) = true.
Proof.
  apply round_fits_iff. split; [apply repeat_length|]. intros i low. rewrite nth_repeat_below by assumption. reflexivity.
Qed.

Lemma opened_sound sp : sound sp (opened sp).
Proof. constructor; simpl; auto. apply empty_fits. Qed.

Lemma apply_sound sp st x st' : sound sp st -> apply sp st x = Some st' -> sound sp st'.
Proof.
  intros [sr sf sn sph] ok. pose proof (apply_fills _ _ _ _ ok) as [fp fr ft fm fc fe fl fk].
  assert (fits : round_fits sp (open_round st) (transcript st) (members st) (slots st') = true).
  { apply round_fits_iff in sf as [len fits]. apply round_fits_iff. split; [congruence|].
    destruct x as [e|i l]; simpl in ok.
    - destruct takes eqn:taken; inversion ok; subst; clear ok. simpl in *. intros i low.
      destruct (Nat.eq_dec (index e) i) as [<-|ne]; [|rewrite nth_put_other by assumption; auto].
      rewrite nth_put_same by lia. unfold takes in taken.
      destruct e; simpl; destruct (phase st) eqn:ph; unfold is_joining in taken; rewrite ?ph in taken;
        simpl in taken; try discriminate; rewrite ?andb_true_iff in *; rewrite ?Nat.eqb_refl.
      + destruct sph as [zero_round _]. rewrite zero_round. rewrite zero_round in *.
        assert (all : members st = repeat true (parties sp)).
        { destruct (closed st); [|simpl in sn; lia]. unfold Model.read in sr. simpl in sr. congruence. }
        rewrite all. unfold bit. simpl in low. rewrite nth_repeat_below by assumption. auto.
      + destruct sph as [running _]. intuition. apply Nat.ltb_lt; assumption.
      + destruct sph as [running _]. intuition. apply Nat.ltb_lt; assumption.
    - destruct lets_go; inversion ok; subst; simpl in *. assumption. }
  constructor; rewrite ?fp, ?fr, ?ft, ?fm, ?fc, ?fe; auto.
  destruct (phase st) eqn:ph; auto.
  destruct x as [[]|]; simpl in ok; unfold lets_go, is_joining in ok; rewrite ph in ok; rewrite ?andb_false_r in ok;
    simpl in ok; discriminate.
Qed.

Lemma apply_all_sound sp l : forall st, sound sp st -> sound sp (fst (fst (apply_all sp st l))).
Proof.
  induction l as [|x l IH]; intros st ok; simpl; [assumption|].
  destruct (apply sp st x) as [st'|] eqn:taken.
  - specialize (IH st' (apply_sound _ _ _ _ ok taken)).
    destruct (apply_all sp st' l) as [[st'' taken'] carried]; exact IH.
  - specialize (IH st ok). destruct (apply_all sp st l) as [[st'' taken'] carried]; exact IH.
Qed.

Lemma clock_sound sp st until blocks who : sound sp st -> sound sp (with_clock D st until blocks who).
Proof. intros []; constructor; auto. Qed.

Lemma advance_sound sp st g who :
  sound sp st -> is_live st = true -> winner sp (slots st) = Some (g, who) -> g = Joins \/ g = Posts ->
  sound sp (advance D hash zero sp st who).
Proof.
  intros [sr sf sn sph] live w kind. constructor; simpl.
  - unfold Model.read in *. rewrite read_from_app, sr. cbn [Model.read_from]. rewrite Nat.add_0_l, <- sn, sf, w.
    destruct kind as [->| ->]; reflexivity.
  - apply empty_fits.
  - rewrite app_length, sn. simpl. lia.
  - split; [lia|reflexivity].
Qed.

Lemma settles_sound sp st st' : sound sp st -> settles sp st st' -> sound sp st'.
Proof.
  intros ok s. destruct s as [|b s c by_ o live how|g who live w kind|g who b c by_ live w kind].
  - assumption.
  - destruct ok as [sr sf sn sph]. constructor; simpl; auto.
    destruct how as [[-> ->]|[-> (p & who & -> & w)]]; simpl.
    + eexists; split; reflexivity.
    + do 3 eexists. split; [reflexivity|]. split; [reflexivity|exact w].
  - eapply advance_sound; eassumption.
  - pose proof (advance_sound _ _ _ _ ok live w kind) as [ar af an ap].
    constructor; simpl in *; auto. eexists; split; reflexivity.
Qed.

Lemma step_is_sound sp st b :
  sound sp st -> exists mid, fills st mid /\ sound sp mid /\ settles sp mid (fst (step sp st b)).
Proof.
  intro ok. unfold Model.step.
  assert (clocked : sound sp (start_clock D sp b st)).
  { unfold start_clock. destruct (_ && _); [apply clock_sound|]; assumption. }
  pose proof (apply_all_sound sp (txs b) _ clocked) as applied.
  pose proof (apply_all_fills sp (txs b) (start_clock D sp b st)) as filled_.
  destruct (apply_all sp (start_clock D sp b st) (txs b)) as [[st' taken] carried]; simpl in *.
  exists (if in_last_call D b st then count_call D b carried st' else st'). split; [|split].
  - apply fills_trans with (start_clock D sp b st).
    { unfold start_clock. destruct (_ && _); [apply clock_fills|apply fills_refl]. }
    apply fills_trans with st'; [assumption|].
    destruct in_last_call; [apply clock_fills|apply fills_refl].
  - destruct in_last_call; [apply clock_sound|]; assumption.
  - apply settle_settles.
Qed.

Lemma step_sound sp st b : sound sp st -> sound sp (fst (step sp st b)).
Proof. intro ok. destruct (step_is_sound _ _ b ok) as (mid & _ & ok' & s). eapply settles_sound; eassumption. Qed.

Lemma run_sound sp bs : forall st, sound sp st -> sound sp (run sp st bs).
Proof. induction bs as [|b bs IH]; intros st ok; simpl; [assumption|]. apply IH, step_sound, ok. Qed.

Lemma reachable_sound sp st : reachable sp st -> sound sp st.
Proof. intros [bs ->]. apply run_sound, opened_sound. Qed.

(** A reader that reads what the machine has closed refuses nothing, and comes to its transcript and its members. *)
Theorem a_reader_takes_every_state sp st :
  reachable sp st -> read sp (closed st) = Some (transcript st, members st).
Proof. intro r. apply reachable_sound in r as []. assumption. Qed.

(** And to its outcome. *)
Theorem a_reader_takes_every_outcome sp st e :
  reachable sp st -> phase st = Finished -> ending st = Some e ->
  exists o, end_outcome e = Some o /\ outcome sp (closed st) (slots st) = Some o.
Proof.
  intros r ph en. apply reachable_sound in r as [sr sf sn sph]. rewrite ph in sph.
  destruct sph as (e' & o & who & en' & eo & w). rewrite en in en'; injection en' as <-.
  exists o. split; [assumption|]. unfold Model.outcome. rewrite sr, <- sn, sf, w. reflexivity.
Qed.

(** An entry of a closed round names that round, its own slot and the transcript before it, and was written by a member. *)
Lemma fitting_entry sp r t who s i e :
  round_fits sp r t who s = true -> nth i s None = Some e ->
  i < parties sp /\ bit who i = true /\
  match e with
  | Join j _ => r = 0 /\ j = i
  | Post r' j t' _ | Finish r' j t' _ => 0 < r /\ r' = r /\ j = i /\ t' = t
  end.
Proof.
  intros fits held. apply round_fits_iff in fits as [len fits].
  assert (low : i < parties sp).
  { destruct (Nat.lt_ge_cases i (parties sp)); [assumption|]. rewrite nth_overflow in held by lia. discriminate. }
  specialize (fits i low). rewrite held in fits.
  destruct e; simpl in fits; rewrite ?andb_true_iff, ?Nat.eqb_eq, ?Nat.ltb_lt, ?same_is_equal in fits; intuition.
Qed.

(** The winners of a round were members before it. *)
Lemma winners_were_members sp r t who s g who' :
  round_fits sp r t who s = true -> winner sp s = Some (g, who') -> forall i, bit who' i = true -> bit who i = true.
Proof.
  intros fits w i. apply winner_has_quorum in w as [-> _]. intro won. apply author_iff in won as (e & held & _).
  eapply fitting_entry in fits; [|eassumption]. intuition.
Qed.

(** Nobody comes back: whoever is a member after any blocks was one before them. *)
Theorem nobody_comes_back sp st bs i :
  reachable sp st -> bit (members (run sp st bs)) i = true -> bit (members st) i = true.
Proof.
  intro r. apply reachable_sound in r. revert st r. induction bs as [|b bs IH]; intros st ok; simpl; [auto|].
  intro later. apply IH in later; [|apply step_sound, ok]. clear IH bs.
  destruct (step_is_sound _ _ b ok) as (mid & [_ _ _ fm _ _ _ _] & [_ mf _ _] & s). rewrite <- fm.
  destruct s; simpl in later; auto; eapply winners_were_members; eassumption.
Qed.

(** From the first closed round on, the members are a quorum. *)
Theorem members_are_a_quorum sp st :
  reachable sp st -> 0 < open_round st -> quorum sp <= count (members st).
Proof.
  intros r later. apply reachable_sound in r as [sr _ sn _].
  destruct (closed st) as [|s l _] using rev_ind; [simpl in sn; lia|].
  unfold Model.read in sr. rewrite read_from_app in sr.
  destruct (read_from sp 0 _ _ l) as [[t who]|]; [|discriminate]. cbn [Model.read_from] in sr.
  destruct (Model.round_fits D same sp (0 + length l) t who s); [|discriminate].
  destruct (winner sp s) as [[[| |o] w]|] eqn:won; try discriminate;
    apply winner_has_quorum in won as [_ enough]; injection sr as _ <-; assumption.
Qed.

(** What a reading takes at its round k. *)
Lemma round_of_reading sp rounds : forall r k t who s t' who',
  read_from sp r t who rounds = Some (t', who') -> nth_error rounds k = Some s ->
  exists tk whok g w,
    read_from sp r t who (firstn k rounds) = Some (tk, whok) /\ round_fits sp (r + k) tk whok s = true /\
    winner sp s = Some (g, w) /\ (g = Joins \/ g = Posts).
Proof.
  induction rounds as [|x rounds IH]; intros r k t who s t' who' ok at_k; [destruct k; discriminate|].
  cbn [Model.read_from] in ok. destruct (Model.round_fits D same sp r t who x) eqn:fits; [|discriminate].
  destruct k as [|k]; simpl in at_k.
  - injection at_k as ->. destruct (winner sp s) as [[g w]|] eqn:won; [|discriminate].
    exists t, who, g, w. rewrite Nat.add_0_r. repeat split; auto. destruct g; auto; discriminate.
  - destruct (winner sp x) as [[[| |o] w]|] eqn:won; try discriminate;
      destruct (IH _ _ _ _ _ _ _ ok at_k) as (tk & whok & g & w' & rd & ft & wn & kind);
      exists tk, whok, g, w'; cbn [firstn Model.read_from]; rewrite fits, won;
      replace (r + S k) with (S r + k) by lia; auto.
Qed.

(** An entry is in the slot, in the round and after the transcript that it names, whichever round it is in, and its author was a member. *)
Theorem an_entry_is_where_it_says sp st r i e :
  reachable sp st -> slot_at st r i = Some e ->
  exists t who, read sp (firstn r (closed st)) = Some (t, who) /\ bit who i = true /\
    match e with
    | Join j _ => r = 0 /\ j = i
    | Post r' j t' _ | Finish r' j t' _ => 0 < r /\ r' = r /\ j = i /\ t' = t
    end.
Proof.
  intros reached held. apply reachable_sound in reached as [sr sf sn _]. unfold slot_at in held.
  destruct (Nat.lt_trichotomy r (length (closed st))) as [low|[->|high]].
  - rewrite app_nth1 in held by assumption.
    destruct (round_of_reading _ _ _ _ _ _ _ _ _ sr (nth_error_nth' (closed st) [] low)) as (t & who & g & w & rd & fits & _).
    exists t, who. split; [exact rd|]. eapply fitting_entry in fits; [|eassumption]. tauto.
  - rewrite app_nth2, Nat.sub_diag in held by lia. simpl in held. rewrite sn in sf.
    exists (transcript st), (members st). rewrite firstn_all. split; [exact sr|].
    eapply fitting_entry in sf; [|eassumption]. tauto.
  - rewrite (nth_overflow (_ ++ _)) in held by (rewrite app_length; simpl; lia). destruct i; discriminate.
Qed.

End Slots.

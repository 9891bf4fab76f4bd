(** One charter succeeds another: what it takes, and when two histories that somebody shows enact the same. Replicas don't occur: all of
    them may be malicious, and show whatever keeps the rules and bears the operators' signatures. *)

From Coq Require Import List Arith Bool Lia.
From WhiteCity Require Import Model Basics Charters.
Import ListNotations.

(** What an operator signs: a word without the charter that it comes with, of which it has the hash. *)
Record speech (D : Type) := Speech {
  of_term : nat;
  of_place : nat;
  of_sequence : nat;
  of_charter : option D }.

Arguments Speech {D}. Arguments of_term {D}. Arguments of_place {D}. Arguments of_sequence {D}. Arguments of_charter {D}.

(** An operator signs one word for each number of a term. *)
Definition one_word_a_number {D} (signed : speech D -> Prop) : Prop :=
  forall s s', signed s -> signed s' -> of_term s = of_term s' -> of_sequence s = of_sequence s' -> s = s'.

(** An operator approves one charter in a term, if any; it may withdraw that, and approve it again. *)
Definition one_charter_a_term {D} (signed : speech D -> Prop) : Prop :=
  forall s s' h h', signed s -> signed s' -> of_term s = of_term s' -> of_charter s = Some h -> of_charter s' = Some h' -> h = h'.

(** So many are more than two thirds of [k], and no fewer are. *)
Definition enough (k : nat) : nat := S (2 * k / 3).

Lemma enough_is_enough k who : is_enough k who = true <-> enough k <= count who.
Proof.
  unfold is_enough, enough. rewrite Nat.ltb_lt. split; intro h.
  - apply Nat.div_lt_upper_bound; lia.
  - assert (low := Nat.mul_succ_div_gt (2 * k) 3). lia.
Qed.

(** Of 3f + 1 operators, up to f. *)
Lemma a_third_is_few f c : c <= f -> 3 * f + 1 + c < 2 * enough (3 * f + 1).
Proof.
  intro few. unfold enough. replace (2 * (3 * f + 1)) with (2 * f * 3 + 2) by lia.
  rewrite Nat.div_add_l by lia. change (2 / 3) with 0. lia.
Qed.

Section Succession.

Variable D : Type.
Variable hash : charter D -> D.
Variable same : D -> D -> bool.
Variable pace : nat.
Hypothesis same_is_equal : forall a b, same a b = true <-> a = b.

Notation refuses := (refuses D hash same pace).
Notation stood := (stood D hash).
Notation hear := (hear D hash same pace).
Notation enact := (enact D hash same).
Notation approved := (approved D same).
Notation approvers := (approvers D same).
Notation sit := (sit D hash same pace).
Notation govern := (govern D hash same pace).
Notation founded := (founded D).
Notation line := (line D).

Definition speech_of (w : word D) : speech D :=
  {| of_term := in_term w; of_place := place w; of_sequence := sequence w; of_charter := option_map hash (says w) |}.

(** [signed key s]: at some time, whatever it was shown, whoever has this key has signed this. *)
Variable signed : nat -> speech D -> Prop.

(** Nobody forges signatures, and whoever keeps the rules checks them. *)
Definition bears (l : list (sitting D)) : Prop := forall s w, In s l -> In w (said s) -> signed (signer w) (speech_of w).

(** The boards that histories lead to which keep the rules and bear the operators' signatures. *)
Definition led_to (c : charter D) (b : board D) : Prop := exists l, b = govern (founded c) l /\ bears l.

(** The operator in place [i] has signed an approval of [h], in the term of [c]. *)
Definition has_approved (c : charter D) (h : D) (i : nat) : Prop :=
  exists key n, nth_error (operators c) i = Some key /\
    signed key {| of_term := number c; of_place := i; of_sequence := n; of_charter := Some h |}.

(** One charter may succeed another: it names it, and more than two thirds of the operators have signed an approval. *)
Record succeeds (c c' : charter D) : Prop := {
  next_number : number c' = S (number c);
  names_previous : previous c' = hash c;
  is_approved : exists who, length who = length (operators c) /\ is_enough (length (operators c)) who = true /\
    forall i, bit who i = true -> has_approved c (hash c') i }.

(** Charters of which each succeeds the one before it, the newest first. *)
Fixpoint is_line (l : list (charter D)) : Prop :=
  match l with
  | c' :: (c :: _) as rest => succeeds c c' /\ is_line rest
  | _ => True
  end.

(** ** What a board keeps *)

Record kept (b : board D) : Prop := {
  kept_words : length (words b) = length (operators (force b));
  kept_approvals : forall i s h, nth i (words b) None = Some s -> approves s = Some h -> has_approved (force b) h i }.

Lemma same_word_is_equal a b : same_word D same a b = true <-> a = b.
Proof.
  destruct a as [a|], b as [b|]; simpl; rewrite ?same_is_equal; split; intro h; try congruence; try discriminate; auto.
Qed.

Lemma what_is_taken b now w :
  refuses b now w = None ->
  in_term w = number (force b) /\ nth_error (operators (force b)) (place w) = Some (signer w) /\
  (forall c, says w = Some c -> number c = S (number (force b)) /\ previous c = hash (force b)).
Proof.
  unfold Charters.refuses. destruct (in_term w =? number (force b)) eqn:t; simpl; [|discriminate].
  apply Nat.eqb_eq in t. destruct nth_error as [key|] eqn:k; [|discriminate].
  repeat match goal with |- (if ?c then _ else _) = None -> _ => destruct c eqn:?; try discriminate end.
  intro ok. assert (signer w = key) as ->.
  { match goal with h : negb (signer w =? key) = false |- _ => apply negb_false_iff, Nat.eqb_eq in h; exact h end. }
  split; [exact t|]. split; [reflexivity|]. intros c sc. rewrite sc in ok.
  destruct (may_follow D hash same b now c) eqn:m; [|discriminate]. unfold may_follow in m.
  rewrite !andb_true_iff, Nat.eqb_eq, same_is_equal in m. tauto.
Qed.

Lemma stood_keeps b now w :
  kept b -> refuses b now w = None -> signed (signer w) (speech_of w) -> kept (stood b now w).
Proof.
  intros [len all] ok sg. destruct (what_is_taken _ _ _ ok) as (t & k & _). constructor; simpl.
  - rewrite put_length. exact len.
  - intros i s h at_i ap. destruct (Nat.eq_dec (place w) i) as [<-|ne].
    + rewrite nth_put_same in at_i by (rewrite len; apply nth_error_Some; congruence).
      injection at_i as <-. simpl in ap. unfold has_approved. exists (signer w), (sequence w). split; [exact k|].
      unfold speech_of in sg. rewrite t, ap in sg. exact sg.
    + rewrite nth_put_other in at_i by assumption. eauto.
Qed.

Lemma hear_keeps now l : forall b b' refused carried,
  kept b -> (forall w, In w l -> signed (signer w) (speech_of w)) -> hear b now l = (b', refused, carried) ->
  kept b' /\ force b' = force b /\ earlier b' = earlier b /\
  (forall c, In c carried -> number c = S (number (force b)) /\ previous c = hash (force b)).
Proof.
  induction l as [|w l IH]; intros b b' refused carried keep sg eq; simpl in eq.
  - injection eq as <- <- <-. repeat split; try apply keep; simpl in *; tauto.
  - destruct (refuses b now w) as [r|] eqn:ok.
    + destruct (hear b now l) as [[b2 rs] cs] eqn:rest. injection eq as <- <- <-.
      eapply IH in rest; eauto. intros; apply sg; simpl; auto.
    + destruct (hear (stood b now w) now l) as [[b2 rs] cs] eqn:rest. injection eq as <- <- <-.
      assert (sw : signed (signer w) (speech_of w)) by (apply sg; simpl; auto).
      apply IH in rest as (keep2 & force2 & earlier2 & cs2); [|apply stood_keeps; assumption|intros; apply sg; simpl; auto].
      simpl in *. repeat split; try apply keep2; try assumption.
      all: destruct (what_is_taken _ _ _ ok) as (_ & _ & follows).
      all: destruct (says w) as [c0|]; simpl in *; [|apply cs2; assumption].
      all: match goal with h : _ \/ _ |- _ => destruct h as [<-|h]; [apply follows; reflexivity|apply cs2; exact h] end.
Qed.

Lemma approved_by_enough b h :
  approved b = Some h -> is_enough (length (operators (force b))) (approvers b h) = true.
Proof.
  unfold Charters.approved. destruct find as [[s|]|] eqn:found; try discriminate.
  intro eq. apply find_some in found as [_ yes]. destruct s as [l t [h'|]]; simpl in *; [|discriminate].
  injection eq as ->. exact yes.
Qed.

Lemma enact_keeps b carried :
  kept b -> (forall c, In c carried -> number c = S (number (force b)) /\ previous c = hash (force b)) ->
  kept (enact b carried) /\
  ((force (enact b carried) = force b /\ earlier (enact b carried) = earlier b) \/
   (succeeds (force b) (force (enact b carried)) /\ earlier (enact b carried) = force b :: earlier b)).
Proof.
  intros keep cs. unfold Charters.enact.
  destruct (approved b) as [h|] eqn:ap; [|auto]. destruct find as [c|] eqn:found; [|auto]. simpl.
  apply find_some in found as [held eq]. apply same_is_equal in eq. split.
  - constructor; simpl; [apply repeat_length|]. intros i s h' at_i. rewrite nth_repeat_any in at_i. discriminate.
  - right. split; [|reflexivity]. constructor; try apply (cs _ held).
    exists (approvers b h). split; [unfold Charters.approvers; rewrite map_length; apply kept_words, keep|].
    split; [apply approved_by_enough, ap|]. intros i yes. unfold bit, Charters.approvers in yes.
    change false with (approving D same h None) in yes. rewrite map_nth in yes.
    destruct (nth i (words b) None) as [s|] eqn:at_i; simpl in yes; [|discriminate].
    change (same_word D same (approves s) (Some h) = true) in yes. apply same_word_is_equal in yes.
    rewrite eq. eapply kept_approvals; eauto.
Qed.

Lemma sit_keeps b s :
  kept b -> (forall w, In w (said s) -> signed (signer w) (speech_of w)) ->
  kept (fst (sit b s)) /\
  ((force (fst (sit b s)) = force b /\ earlier (fst (sit b s)) = earlier b) \/
   (succeeds (force b) (force (fst (sit b s))) /\ earlier (fst (sit b s)) = force b :: earlier b)).
Proof.
  intros keep sg. unfold Charters.sit. destruct (hear b (at_ms s) (said s)) as [[b2 refused] carried] eqn:heard.
  destruct (hear_keeps _ _ _ _ _ _ keep sg heard) as (keep2 & force2 & earlier2 & cs). simpl.
  rewrite <- force2 in cs. destruct (enact_keeps b2 carried keep2 cs) as [keep3 either]. rewrite force2, earlier2 in either. auto.
Qed.

Lemma govern_app b l l' : govern b (l ++ l') = govern (govern b l) l'.
Proof. apply fold_left_app. Qed.

Lemma founded_is_kept c : kept (founded c).
Proof.
  constructor; simpl; [apply repeat_length|]. intros i s h at_i. rewrite nth_repeat_any in at_i. discriminate.
Qed.

Lemma led_to_is_kept c b : led_to c b -> kept b /\ is_line (force b :: earlier b) /\ List.last (force b :: earlier b) c = c.
Proof.
  intros (l & -> & bear). induction l as [|s l IH] using rev_ind.
  - split; [apply founded_is_kept|]. simpl. auto.
  - destruct IH as (keep & is & first). { intros s' w held. apply bear, in_or_app. auto. }
    rewrite govern_app. simpl. set (b := govern (founded c) l) in *.
    destruct (sit_keeps b s keep) as [keep2 either]. { intros w held. eapply bear; [apply in_or_app; right; left; reflexivity|exact held]. }
    split; [exact keep2|]. destruct either as [[-> ->]|[step ->]]; [auto|].
    split; [split; assumption|]. exact first.
Qed.

(** ** What it takes *)

Lemma in_a_line x newer older y : is_line (x ++ newer :: older :: y) -> succeeds older newer.
Proof.
  induction x as [|a x IH]; simpl; [tauto|]. intro is. apply IH. destruct x as [|b x]; simpl in *; tauto.
Qed.

(** Each charter of a board, but the first, names the one before it, and more than two thirds of that one's operators have signed an
    approval of it in that term. *)
Theorem a_charter_takes_more_than_two_thirds c b before older newer after :
  led_to c b -> line b = before ++ older :: newer :: after -> succeeds older newer.
Proof.
  intros led eq. apply led_to_is_kept in led as (_ & is & _). unfold Charters.line in eq.
  apply (f_equal (@rev _)) in eq. rewrite rev_involutive, rev_app_distr in eq. simpl in eq. rewrite <- !app_assoc in eq. simpl in eq.
  rewrite eq in is. apply in_a_line in is. exact is.
Qed.

(** So where a third of the operators is honest, one of these has approved it. *)
Theorem an_honest_operator_has_approved c c' corrupt :
  succeeds c c' -> length corrupt = length (operators c) -> 3 * count corrupt <= 2 * length (operators c) ->
  exists i, bit corrupt i = false /\ has_approved c (hash c') i.
Proof.
  intros [_ _ (who & len & many & all)] lc few. unfold is_enough in many. apply Nat.ltb_lt in many.
  destruct (existsb (fun i => bit who i && negb (bit corrupt i)) (seq 0 (length who))) eqn:found.
  - apply existsb_exists in found as (i & _ & yes). rewrite andb_true_iff, negb_true_iff in yes. exists i. intuition.
  - exfalso. assert (count who + length who <= length who + count corrupt); [|lia].
    pose proof (overlap_bound who (repeat true (length who)) corrupt) as bound. rewrite count_repeat_true, repeat_length in bound.
    apply bound; try lia. intros i yes _. destruct (bit corrupt i) eqn:ci; [reflexivity|exfalso].
    rewrite <- not_true_iff_false in found. apply found, existsb_exists. exists i. split.
    + apply in_seq. destruct (Nat.lt_ge_cases i (length who)); [lia|]. unfold bit in yes. rewrite nth_overflow in yes by assumption. discriminate.
    + rewrite yes, ci. reflexivity.
Qed.

(** A board goes on from its charters: none of them is ever replaced. *)
Theorem charters_stay b l : exists more, line (govern b l) = line b ++ more.
Proof.
  revert b. induction l as [|s l IH]; intro b; simpl; [exists []; rewrite app_nil_r; reflexivity|].
  destruct (IH (fst (sit b s))) as (more & ->). unfold Charters.sit, Charters.line.
  assert (same_board : forall now l b, force (fst (fst (hear b now l))) = force b /\ earlier (fst (fst (hear b now l))) = earlier b).
  { clear. intro now. induction l as [|w l IH]; intro b; simpl; [auto|]. destruct (refuses b now w).
    - specialize (IH b). destruct (hear b now l) as [[? ?] ?]. exact IH.
    - specialize (IH (stood b now w)). destruct (hear (stood b now w) now l) as [[? ?] ?]. exact IH. }
  specialize (same_board (at_ms s) (said s) b). destruct (hear b (at_ms s) (said s)) as [[b2 refused] carried]. simpl in *.
  destruct same_board as [<- <-]. unfold Charters.enact.
  destruct (approved b2); [|eauto]. destruct find as [c|]; [|eauto].
  simpl. exists (c :: more). rewrite <- !app_assoc. reflexivity.
Qed.

(** ** Two histories *)

(** Who is corrupt of a charter's operators: so few that two groups of more than two thirds have an honest one in common. Of 3f + 1 that
    is up to f. *)
Record few_are_corrupt (c : charter D) (corrupt : list bool) : Prop := {
  corrupt_operators : length corrupt = length (operators c);
  corrupt_few : length (operators c) + count corrupt < 2 * enough (length (operators c)) }.

(** Somebody honest has approved both. *)
Lemma an_honest_operator_approved_both c x y corrupt :
  few_are_corrupt c corrupt -> succeeds c x -> succeeds c y ->
  exists i, bit corrupt i = false /\ has_approved c (hash x) i /\ has_approved c (hash y) i.
Proof.
  intros [len few] [_ _ (who & lw & many & all)] [_ _ (who' & lw' & many' & all')].
  apply enough_is_enough in many. apply enough_is_enough in many'.
  destruct (overlap (length (operators c)) (enough (length (operators c))) (count corrupt) who who' corrupt)
    as (i & _ & iw & iw' & honest); auto.
  exists i. auto.
Qed.

(** What the honest ones of a charter's operators keep to. *)
Definition honest (rule : (speech D -> Prop) -> Prop) (c : charter D) (corrupt : list bool) : Prop :=
  forall i key, nth_error (operators c) i = Some key -> bit corrupt i = false -> rule (signed key).

(** Two charters succeed one only where an honest operator has approved both in one term; under two numbers, if it signs one word a number. So it
    has changed its mind, and whoever makes histories can leave out what came later: the board's rule that the last word counts
    binds who shows all of them. *)
Theorem two_charters_take_a_changed_mind c x y corrupt :
  few_are_corrupt c corrupt -> honest one_word_a_number c corrupt ->
  succeeds c x -> succeeds c y -> hash x <> hash y ->
  exists i key n n', nth_error (operators c) i = Some key /\ bit corrupt i = false /\ n <> n' /\
    signed key {| of_term := number c; of_place := i; of_sequence := n; of_charter := Some (hash x) |} /\
    signed key {| of_term := number c; of_place := i; of_sequence := n'; of_charter := Some (hash y) |}.
Proof.
  intros few once sx sy ne. destruct (an_honest_operator_approved_both _ _ _ _ few sx sy) as (i & good & (key & n & k & s) & (key' & n' & k' & s')).
  rewrite k in k'. injection k' as <-. exists i, key, n, n'. repeat split; auto.
  intros <-. pose proof (once i key k good _ _ s s' eq_refl eq_refl) as eq. congruence.
Qed.

Hypothesis hash_is_injective : forall a b, hash a = hash b -> a = b.

(** At most one charter succeeds a charter, whichever histories lead there, if each honest operator approves one in its term. *)
Theorem at_most_one_charter_succeeds c x y corrupt :
  few_are_corrupt c corrupt -> honest one_charter_a_term c corrupt -> succeeds c x -> succeeds c y -> x = y.
Proof.
  intros few once sx sy. destruct (an_honest_operator_approved_both _ _ _ _ few sx sy) as (i & good & (key & n & k & s) & (key' & n' & k' & s')).
  rewrite k in k'. injection k' as <-. apply hash_is_injective. exact (once i key k good _ _ _ _ s s' eq_refl eq_refl eq_refl).
Qed.

(** Two lines from one charter, the first one first, are one, as far as both go. *)
Lemma lines_agree : forall l l' c,
  is_line (rev (c :: l)) -> is_line (rev (c :: l')) ->
  (forall d, In d (c :: l) -> In d (c :: l') -> exists corrupt, few_are_corrupt d corrupt /\ honest one_charter_a_term d corrupt) ->
  exists more, c :: l = (c :: l') ++ more \/ c :: l' = (c :: l) ++ more.
Proof.
  assert (tail : forall c l, is_line (rev (c :: l)) -> is_line (rev l)).
  { intros c l. simpl. induction (rev l) as [|a x IH]; simpl; [auto|]. destruct x as [|b x]; simpl in *; tauto. }
  induction l as [|x l IH]; intros l' c is is' behave; [exists l'; right; reflexivity|].
  destruct l' as [|y l']; [exists (x :: l); left; reflexivity|].
  assert (sx : succeeds c x). { simpl in is. rewrite <- app_assoc in is. apply in_a_line in is. exact is. }
  assert (sy : succeeds c y). { simpl in is'. rewrite <- app_assoc in is'. apply in_a_line in is'. exact is'. }
  destruct (behave c) as (corrupt & few & once); simpl; auto.
  rewrite <- (at_most_one_charter_succeeds _ _ _ _ few once sx sy) in *.
  destruct (IH l' x) as (more & either); [eapply tail; eassumption..| |].
  - intros d at_l at_l'. apply behave; simpl in *; tauto.
  - exists more. destruct either as [eq|eq]; [left|right]; rewrite eq; reflexivity.
Qed.

(** Of two boards from one genesis one goes on where the other one stands, if that holds of every charter that both have had. *)
Theorem boards_have_one_line_of_charters c a b :
  led_to c a -> led_to c b ->
  (forall d, In d (line a) -> In d (line b) -> exists corrupt, few_are_corrupt d corrupt /\ honest one_charter_a_term d corrupt) ->
  exists more, line a = line b ++ more \/ line b = line a ++ more.
Proof.
  intros la lb. apply led_to_is_kept in la as (_ & isa & fa). apply led_to_is_kept in lb as (_ & isb & fb). unfold Charters.line.
  assert (begins : forall l, l <> [] -> List.last l c = c -> exists m, rev l = c :: m).
  { intros l ne eq. destruct (exists_last ne) as (m & z & ->). rewrite last_last in eq. subst z.
    exists (rev m). rewrite rev_app_distr. reflexivity. }
  destruct (begins (force a :: earlier a)) as (m & ra); [discriminate|exact fa|].
  destruct (begins (force b :: earlier b)) as (m' & rb); [discriminate|exact fb|].
  rewrite ra, rb. intro behave. apply lines_agree; [rewrite <- ra, rev_involutive; exact isa|rewrite <- rb, rev_involutive; exact isb|exact behave].
Qed.

Lemma line_number : forall l c c', is_line (c' :: l) -> List.last (c' :: l) c = c -> number c' = number c + length l.
Proof.
  induction l as [|d l IH]; intros c c' is last_is; [simpl in *; subst; lia|].
  simpl in is. destruct is as [[next _ _] is]. apply (IH c) in is; [|exact last_is]. simpl. lia.
Qed.

(** A charter determines those before it: two boards from one genesis that have it in force have had the same ones, whoever has approved
    what. *)
Theorem a_charter_determines_those_before_it c a b : led_to c a -> led_to c b -> force a = force b -> line a = line b.
Proof.
  intros la lb eq. apply led_to_is_kept in la as (_ & isa & fa). apply led_to_is_kept in lb as (_ & isb & fb).
  unfold Charters.line. f_equal. pose proof (line_number _ _ _ isa fa) as na. pose proof (line_number _ _ _ isb fb) as nb.
  rewrite eq in *. f_equal. assert (len : length (earlier a) = length (earlier b)) by lia. clear na nb eq fa fb.
  revert isa isb len. generalize (force b) as x. generalize (earlier b) as l'. generalize (earlier a) as l.
  induction l as [|y l IH]; intros [|z l'] x isa isb len; simpl in len; try lia; [reflexivity|].
  simpl in isa, isb. destruct isa as [[_ py _] isa], isb as [[_ pz _] isb].
  assert (y = z) as -> by (apply hash_is_injective; congruence). f_equal. apply (IH _ z); auto.
Qed.

End Succession.

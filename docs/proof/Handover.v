(** What a client that walks links from the genesis takes: nothing of an era that more than two thirds of the era before didn't hand over
    to. Whoever shows it links and headers may hold any keys but theirs. *)

From Coq Require Import List Arith Bool Lia.
From WhiteCity Require Import Model Links.
Import ListNotations.

Section Handover.

Variable D : Type.
Variable hash : list nat -> D.
Variable same : D -> D -> bool.
Hypothesis same_is_equal : forall a b, same a b = true <-> a = b.

(** The genesis. *)
Variable initial : nat.
Variable genesis : list nat.

(** [voted key h]: at some time, whatever for, whoever has this key has signed a vote for this header. *)
Variable voted : nat -> header D -> Prop.

Notation begun := (begun D initial genesis).
Notation verify := (verify D hash same).
Notation learn := (learn D hash same).
Notation walk := (walk D hash same).
Notation certified := (certified D hash same).
Notation era_at := (era_at D).

(** Nobody forges signatures, and the client checks each. *)
Definition bears (s : signed_header D) : Prop := forall key h, In (ForBlock key h) (votes s) -> voted key h.

(** More than two thirds of these have voted for a header. *)
Definition most_voted (ks : list nat) (h : header D) : Prop :=
  exists who, length who = length ks /\ 2 * length ks < 3 * count who /\
    forall i, bit who i = true -> exists key, nth_error ks i = Some key /\ voted key h.

(** [handed_over e f ks]: these are validators to whom the genesis's have handed over in [e] steps, from height [f] on, in each of which more than
    two thirds of those before have voted for a header that names the next ones. *)
Inductive handed_over : nat -> nat -> list nat -> Prop :=
  | from_genesis : handed_over 0 initial genesis
  | by_most e f ks h ks' :
      handed_over e f ks -> f <= level h -> own h = hash ks -> most_voted ks h -> next_set h = hash ks' -> next_set h <> hash ks ->
      handed_over (S e) (S (level h)) ks'.

Lemma same_header_is_equal a b : same_header D same a b = true -> a = b.
Proof.
  unfold same_header. rewrite !andb_true_iff, !Nat.eqb_eq, !same_is_equal. destruct a, b. simpl. intuition. subst. reflexivity.
Qed.

Lemma signed_by_most ks s : bears s -> is_signed D same ks s = true -> most_voted ks (head s).
Proof.
  unfold is_signed. rewrite andb_true_iff, Nat.ltb_lt. intros bear [fit many].
  exists (map (is_for D) (votes s)). split; [|split; [exact many|]]; clear many; unfold bears in bear;
    revert bear fit; generalize (votes s) as vs; induction ks as [|key ks IH]; intros [|v vs] bear fit; try discriminate; simpl.
  - reflexivity.
  - simpl in fit. apply andb_true_iff in fit as [_ fit]. f_equal. apply IH; [intros; apply bear; simpl; auto|exact fit].
  - intros [|i]; discriminate.
  - simpl in fit. apply andb_true_iff in fit as [one fit]. intros [|i] yes.
    + destruct v as [| |p h]; try discriminate. simpl in one. apply andb_true_iff in one as [eq head_eq].
      apply Nat.eqb_eq in eq as ->. apply same_header_is_equal in head_eq as <-. exists key. split; [reflexivity|]. apply bear. left. reflexivity.
    + apply (IH vs); [intros; apply bear; simpl; auto|exact fit|exact yes].
Qed.

Lemma certified_by_most t e s :
  bears s -> certified t e s = Accepted ->
  own (head s) = hash (keys e) /\ first_level (origin t) <= level (head s) /\ most_voted (keys e) (head s).
Proof.
  unfold Links.certified. intros bear ok. destruct same eqn:eq; simpl in ok; [|discriminate]. apply same_is_equal in eq.
  destruct (level (head s) <? first_level (origin t)) eqn:low; [discriminate|]. apply Nat.ltb_ge in low.
  destruct is_signed eqn:most; [|discriminate]. apply signed_by_most in most; auto.
Qed.

(** ** What a client knows *)

Record sound (t : trust D) : Prop := {
  begins : first_level (origin t) = initial /\ keys (origin t) = genesis;
  (** The newest one is as many steps away as there are. *)
  steps : forall before e after, later t = before ++ e :: after -> handed_over (S (length after)) (first_level e) (keys e) }.

Lemma era_among_is_one o l : forall after n,
  (fst (era_among D o l after n) = o \/
   exists before after', l = before ++ fst (era_among D o l after n) :: after' /\ first_level (fst (era_among D o l after n)) <= n) /\
  (snd (era_among D o l after n) = None ->
    match l with [] => fst (era_among D o l after n) = o | e :: _ => fst (era_among D o l after n) = e /\ first_level e <= n end).
Proof.
  induction l as [|e l IH]; intros after n; simpl; [auto|].
  destruct (first_level e <=? n) eqn:low; simpl.
  - apply Nat.leb_le in low. split; [right; exists [], l; auto|auto].
  - specialize (IH (Some e) n). destruct IH as [one none]. split.
    + destruct one as [|(before & after' & eq & le)]; [auto|]. right. exists (e :: before), after'. simpl. rewrite <- eq. auto.
    + intro no. exfalso. clear - no. revert no. generalize e. induction l as [|x l IH]; simpl; intros y no; [discriminate|].
      destruct (first_level x <=? n); [discriminate|]. exact (IH _ no).
Qed.

Lemma era_is_handed_over t n :
  sound t -> initial <= n ->
  exists k, handed_over k (first_level (fst (era_at t n))) (keys (fst (era_at t n))) /\ first_level (fst (era_at t n)) <= n.
Proof.
  intros [[first ks] all] low. unfold Links.era_at.
  destruct (era_among_is_one (origin t) (later t) None n) as [[->|(before & after & eq & le)] _].
  - exists 0. rewrite first, ks. split; [constructor|exact low].
  - exists (S (length after)). split; [exact (all _ _ _ eq)|exact le].
Qed.

Lemma begun_is_sound : sound begun.
Proof. constructor; simpl; [auto|]. intros [|x l] e after eq; discriminate. Qed.

Lemma verified t s : verify t s = Accepted -> certified t (fst (era_at t (level (head s)))) s = Accepted.
Proof.
  unfold Links.verify. destruct (era_at t (level (head s))) as [e [after|]]; simpl; [destruct (_ && _)|destruct same]; auto; discriminate.
Qed.

Lemma learn_is_sound t l : sound t -> bears (handing l) -> sound (fst (learn t l)).
Proof.
  intros good bear. unfold Links.learn. destruct negb; [exact good|].
  set (h := head (handing l)).
  pose proof (era_among_is_one (origin t) (later t) None (level h)) as [_ newest]. fold (era_at t (level h)) in newest.
  assert (ok : verify t (handing l) = Accepted -> certified t (fst (era_at t (level h))) (handing l) = Accepted) by apply verified.
  destruct (era_at t (level h)) as [e [after|]]; simpl in newest, ok; [destruct certified; exact good|].
  destruct (verify t (handing l)); try exact good.
  destruct (_ || _) eqn:names; [exact good|]. rewrite orb_false_iff, negb_false_iff, same_is_equal in names.
  destruct names as [names others]. apply certified_by_most in ok as (own_set & low & most); [|exact bear|reflexivity]. fold h in own_set, low, most.
  specialize (newest eq_refl). destruct good as [[first ks] all]. constructor; simpl; [auto|].
  assert (before : handed_over (length (later t)) (first_level e) (keys e) /\ first_level e <= level h).
  { destruct (later t) as [|x older].
    - subst e. simpl. rewrite first, ks in *. split; [constructor|exact low].
    - destruct newest as [-> le]. split; [exact (all [] x older eq_refl)|exact le]. }
  intros [|x before'] e' after' eq; simpl in eq; injection eq as <- eq.
  - subst after'. simpl. eapply by_most; try apply before; auto.
    intro same_set. rewrite <- not_true_iff_false in others. apply others, same_is_equal, same_set.
  - exact (all _ _ _ eq).
Qed.

Lemma walk_is_sound l : forall t, sound t -> (forall x, In x l -> bears (handing x)) -> sound (walk t l).
Proof.
  induction l as [|x l IH]; intros t good bear; simpl; [exact good|].
  apply IH; [apply learn_is_sound; [exact good|apply bear; simpl; auto]|intros; apply bear; simpl; auto].
Qed.

(** To each era that a client has walked to from the genesis, in as many steps as its number says, more than two thirds of the era before have
    handed over. *)
Theorem every_era_was_handed_over_to l newer e older :
  (forall x, In x l -> bears (handing x)) -> later (walk begun l) = newer ++ e :: older ->
  handed_over (S (length older)) (first_level e) (keys e).
Proof. intros bear eq. destruct (walk_is_sound l begun begun_is_sound bear) as [_ all]. exact (all _ _ _ eq). Qed.

(** A client that has walked any links from the genesis takes a header only if more than two thirds of validators have voted for it to
    whom it was handed over so, at a height from which on it was theirs. *)
Theorem an_accepted_header_is_of_an_era_that_was_handed_over_to l s :
  (forall x, In x l -> bears (handing x)) -> bears s -> verify (walk begun l) s = Accepted ->
  exists e f ks, handed_over e f ks /\ f <= level (head s) /\ own (head s) = hash ks /\ most_voted ks (head s).
Proof.
  intros bear bears_s ok. pose proof (walk_is_sound l begun begun_is_sound bear) as good.
  apply verified in ok. apply certified_by_most in ok as (own_set & low & most); [|exact bears_s].
  rewrite (proj1 (begins _ good)) in low. destruct (era_is_handed_over _ (level (head s)) good low) as (k & handed & le).
  exists k, (first_level (fst (era_at (walk begun l) (level (head s))))), (keys (fst (era_at (walk begun l) (level (head s))))). auto.
Qed.

(** ** What that is worth *)

(** [decided]: the headers of the board's own blocks. [was_in_office f ks]: these were its validators, from height [f] on. *)
Variable decided : header D -> Prop.

Inductive was_in_office : nat -> list nat -> Prop :=
  | first_office : was_in_office initial genesis
  | next_office f ks h ks' :
      was_in_office f ks -> f <= level h -> decided h -> own h = hash ks -> next_set h = hash ks' -> was_in_office (S (level h)) ks'.

(** If of no set that was in office more than two thirds ever vote for a header that the board doesn't have, from its first height on and also
    after its last, a client takes none but the board's. It is the sets' own business: nobody else's keys count. *)
Theorem a_client_takes_only_the_boards_headers l s :
  (forall f ks h, was_in_office f ks -> f <= level h -> own h = hash ks -> most_voted ks h -> decided h) ->
  (forall x, In x l -> bears (handing x)) -> bears s -> verify (walk begun l) s = Accepted -> decided (head s).
Proof.
  intros keep bear bears_s ok.
  destruct (an_accepted_header_is_of_an_era_that_was_handed_over_to l s bear bears_s ok) as (e & f & ks & handed & le & own_set & most).
  apply (keep f ks); auto. clear ok le own_set most. induction handed as [|e f ks h ks' handed IH le own_set most names others]; [constructor|].
  eapply next_office; eauto.
Qed.

End Handover.

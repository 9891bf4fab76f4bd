(** The model: one session, as the board's state machine keeps it.

    It computes. [Extract.v] makes a program of it, which [tests/proof] runs beside the real state machine on the same schedules.
    Nothing is proved here. Names are those of [docs/spec/model.md]; numbers are unbounded. *)

From Coq Require Import List Arith Bool.
Import ListNotations.

(** * What a session is *)

(** [nonce] stands for whatever else makes a session's id: the roster's keys, the opener, its nonce. [validators] is the network's k. *)
Record spec := Spec {
  parties : nat;
  quorum : nat;
  corrupt_max : nat;
  max_rounds : nat;
  join_ms : nat;
  round_ms : nat;
  retention_ms : nat;
  open_by_ms : nat;
  validators : nat;
  nonce : nat }.

Inductive status := Joining | Running | Finished | Aborted.
Inductive cause := NoCause | TooFew | Disagreement | LeftByName | OutOfRounds.
Inductive leave := Decline (reason : nat) | Abort (cause : nat).

(** How a session ended. *)
Record terminal := Terminal {
  end_status : status;
  end_cause : cause;
  end_height : nat;
  end_ms : nat;
  end_by : option nat;
  end_outcome : option nat;
  end_members : list bool;
  end_filled : list bool }.

(** What is hashed, one constructor for each tag of [docs/spec/bytes.md]. [D] is what a hash is. *)
Inductive msg (D : Type) :=
  | MSession (sp : spec)
  | MJoin (session : D) (i key : nat)
  | MPost (session : D) (r i : nat) (t : D) (content : nat)
  | MFinish (session : D) (r i : nat) (t : D) (outcome : nat)
  | MSlot (digest : D)
  | MNode (left right : D)
  | MTranscript (before : D) (r : nat) (root : D)
  | MTerminal (e : terminal)
  | MLeft (session : D) (leavers : list (nat * leave))
  | MLeaf (session : D) (s : status) (open : nat) (who : list bool) (t root : D) (deadline blocks : nat) (callers : list bool) (ending leavers : D).

Arguments MSession {D}. Arguments MJoin {D}. Arguments MPost {D}. Arguments MFinish {D}. Arguments MSlot {D}. Arguments MNode {D}.
Arguments MTranscript {D}. Arguments MTerminal {D}. Arguments MLeft {D}. Arguments MLeaf {D}.

(** What a slot holds, once it is filled. [t] is the transcript that the entry names, [content] all that a post carries. *)
Inductive entry (D : Type) :=
  | Join (i key : nat)
  | Post (r i : nat) (t : D) (content : nat)
  | Finish (r i : nat) (t : D) (outcome : nat).

Arguments Join {D}. Arguments Post {D}. Arguments Finish {D}.

Definition slot (D : Type) : Type := option (entry D).
Definition round (D : Type) : Type := list (slot D).

Record state (D : Type) := State {
  phase : status;
  open_round : nat;
  transcript : D;
  members : list bool;
  slots : round D;
  (** Rounds after which another one opened, in order. The round in which the session ended isn't among them: it stays in [slots]. *)
  closed : list (round D);
  leavers : list (nat * leave);
  deadline : nat;
  call_blocks : nat;
  callers : list bool;
  ending : option terminal }.

Arguments State {D}. Arguments phase {D}. Arguments open_round {D}. Arguments transcript {D}. Arguments members {D}. Arguments slots {D}.
Arguments closed {D}. Arguments leavers {D}. Arguments deadline {D}. Arguments call_blocks {D}. Arguments callers {D}. Arguments ending {D}.

(** A transaction that its party has signed. *)
Inductive tx (D : Type) :=
  | Write (e : entry D)
  | Leave (i : nat) (l : leave).

Arguments Write {D}. Arguments Leave {D}.

(** [proposer] is the proposer's place among the validators, if it is one of them; [ms] is board time. *)
Record block (D : Type) := Block {
  height : nat;
  ms : nat;
  proposer : option nat;
  txs : list (tx D) }.

Arguments Block {D}. Arguments height {D}. Arguments ms {D}. Arguments proposer {D}. Arguments txs {D}.

(** * Small things *)

Fixpoint count (l : list bool) : nat :=
  match l with
  | [] => 0
  | b :: l => (if b then 1 else 0) + count l
  end.

(** The list with [x] in place [i]; the list itself if there is no such place. *)
Fixpoint put {A} (i : nat) (x : A) (l : list A) : list A :=
  match i, l with
  | _, [] => []
  | O, _ :: l => x :: l
  | S i, y :: l => y :: put i x l
  end.

Definition is_filled {D} (s : slot D) : bool := match s with Some _ => true | None => false end.
Definition filled {D} (s : round D) : list bool := map is_filled s.
Definition bit (l : list bool) (i : nat) : bool := nth i l false.

Definition is_live {D} (st : state D) : bool :=
  match phase st with Joining | Running => true | Finished | Aborted => false end.
Definition is_joining {D} (st : state D) : bool := match phase st with Joining => true | _ => false end.
Definition has_left {D} (st : state D) (i : nat) : bool := existsb (fun x => fst x =? i) (leavers st).

(** Entries that say the same: all joins, all posts, or all finishes with one outcome. *)
Inductive group := Joins | Posts | Finishes (outcome : nat).

Definition group_of {D} (e : entry D) : group :=
  match e with
  | Join _ _ => Joins
  | Post _ _ _ _ => Posts
  | Finish _ _ _ o => Finishes o
  end.

Definition same_group (a b : group) : bool :=
  match a, b with
  | Joins, Joins | Posts, Posts => true
  | Finishes o, Finishes p => o =? p
  | _, _ => false
  end.

Definition in_group {D} (g : group) (s : slot D) : bool :=
  match s with Some e => same_group (group_of e) g | None => false end.
Definition authors {D} (g : group) (s : round D) : list bool := map (in_group g) s.

(** The group that has the quorum, with its authors. *)
Definition winner {D} (sp : spec) (s : round D) : option (group * list bool) :=
  let wins x :=
    match x with
    | Some e => quorum sp <=? count (authors (group_of e) s)
    | None => false
    end in
  match find wins s with
  | Some (Some e) => Some (group_of e, authors (group_of e) s)
  | _ => None
  end.

Section Machine.

Variable D : Type.
Variable hash : msg D -> D.
Variable zero : D.
Variable same : D -> D -> bool.

(** * Hashes *)

Definition session_id (sp : spec) : D := hash (MSession sp).

Definition digest (sp : spec) (e : entry D) : D :=
  match e with
  | Join i key => hash (MJoin (session_id sp) i key)
  | Post r i t c => hash (MPost (session_id sp) r i t c)
  | Finish r i t o => hash (MFinish (session_id sp) r i t o)
  end.

Definition slot_leaf (sp : spec) (s : slot D) : D :=
  match s with Some e => hash (MSlot (digest sp e)) | None => zero end.

(** The tree over 2^d leaves. *)
Fixpoint tree (d : nat) (leaves : list D) : D :=
  match d with
  | O => nth 0 leaves zero
  | S d => hash (MNode (tree d (firstn (2 ^ d) leaves)) (tree d (skipn (2 ^ d) leaves)))
  end.

Definition round_root (sp : spec) (s : round D) : D :=
  let d := Nat.log2_up (parties sp) in
  tree d (map (slot_leaf sp) s ++ repeat zero (2 ^ d - parties sp)).

Definition next (t : D) (r : nat) (root : D) : D := hash (MTranscript t r root).

(** [t], before round [r], after rounds with these roots. *)
Fixpoint chain (t : D) (r : nat) (roots : list D) : D :=
  match roots with
  | [] => t
  | root :: roots => chain (next t r root) (S r) roots
  end.

Definition leaf (sp : spec) (st : state D) : D :=
  hash (MLeaf (session_id sp) (phase st) (open_round st) (members st) (transcript st) (round_root sp (slots st))
    (deadline st) (call_blocks st) (callers st)
    (match ending st with Some e => hash (MTerminal e) | None => zero end)
    (match leavers st with [] => zero | l => hash (MLeft (session_id sp) l) end)).

(** * The machine *)

Definition opened (sp : spec) : state D :=
  {| phase := Joining; open_round := 0; transcript := session_id sp; members := repeat true (parties sp);
     slots := repeat None (parties sp); closed := []; leavers := []; deadline := 0; call_blocks := 0;
     callers := repeat false (validators sp); ending := None |}.

Definition with_slots (st : state D) (s : round D) : state D :=
  State (phase st) (open_round st) (transcript st) (members st) s (closed st) (leavers st) (deadline st) (call_blocks st) (callers st)
    (ending st).
Definition with_leavers (st : state D) (l : list (nat * leave)) : state D :=
  State (phase st) (open_round st) (transcript st) (members st) (slots st) (closed st) l (deadline st) (call_blocks st) (callers st)
    (ending st).
Definition with_clock (st : state D) (until blocks : nat) (who : list bool) : state D :=
  State (phase st) (open_round st) (transcript st) (members st) (slots st) (closed st) (leavers st) until blocks who (ending st).

(** Whether the board takes this entry now. *)
Definition takes (sp : spec) (st : state D) (e : entry D) : bool :=
  let is_free i := (i <? parties sp) && negb (is_filled (nth i (slots st) None)) && negb (has_left st i) in
  let fits r i t :=
    match phase st with
    | Running => is_free i && bit (members st) i && (r =? open_round st) && same t (transcript st)
    | _ => false
    end in
  match e with
  | Join i _ => is_joining st && is_free i
  | Post r i t _ | Finish r i t _ => fits r i t
  end.

Definition index {D} (e : entry D) : nat := match e with Join i _ | Post _ i _ _ | Finish _ i _ _ => i end.

(** Whether the party may leave now, in this way. *)
Definition lets_go (sp : spec) (st : state D) (i : nat) (l : leave) : bool :=
  (i <? parties sp) && negb (has_left st i) &&
  match phase st, l with
  | Joining, Decline _ => negb (is_filled (nth i (slots st) None))
  | Joining, Abort _ => is_filled (nth i (slots st) None)
  | Running, Abort _ => bit (members st) i
  | _, _ => false
  end.

Definition apply (sp : spec) (st : state D) (x : tx D) : option (state D) :=
  match x with
  | Write e => if takes sp st e then Some (with_slots st (put (index e) (Some e) (slots st))) else None
  | Leave i l => if lets_go sp st i l then Some (with_leavers st (leavers st ++ [(i, l)])) else None
  end.

(** The state after these transactions; which were taken; whether an entry was among them. *)
Fixpoint apply_all (sp : spec) (st : state D) (l : list (tx D)) : state D * list bool * bool :=
  match l with
  | [] => (st, [], false)
  | x :: l =>
      match apply sp st x with
      | None => let '(st, taken, carried) := apply_all sp st l in (st, false :: taken, carried)
      | Some st =>
          let '(st, taken, carried) := apply_all sp st l in
          (st, true :: taken, match x with Write _ => true | Leave _ _ => carried end)
      end
  end.

(** Members that have filled their slots or still can. Whoever leaves while parties join can't write the next round. *)
Definition remaining (sp : spec) (st : state D) : nat :=
  let remains i := bit (members st) i && (negb (has_left st i) || (bit (filled (slots st)) i && negb (is_joining st))) in
  count (map remains (seq 0 (parties sp))).

Definition awaited (sp : spec) (st : state D) : nat :=
  let waits i := bit (members st) i && negb (bit (filled (slots st)) i) && negb (has_left st i) in
  count (map waits (seq 0 (parties sp))).

Definition last_leaver (st : state D) : option nat :=
  find (bit (members st)) (map fst (rev (leavers st))).

Definition end_with (sp : spec) (b : block D) (st : state D) (s : status) (c : cause) (by_ outcome : option nat) : state D :=
  {| phase := s; open_round := open_round st; transcript := transcript st; members := members st; slots := slots st;
     closed := closed st; leavers := leavers st; deadline := max (ms b + retention_ms sp) (open_by_ms sp); call_blocks := 0;
     callers := repeat false (validators sp);
     ending := Some (Terminal s c (height b) (ms b) by_ outcome (members st) (filled (slots st))) |}.

Definition end_if_too_few (sp : spec) (b : block D) (st : state D) : state D :=
  if quorum sp <=? remaining sp st then st else end_with sp b st Aborted LeftByName (last_leaver st) None.

(** The next round, with these members. *)
Definition advance (sp : spec) (st : state D) (who : list bool) : state D :=
  {| phase := Running; open_round := S (open_round st);
     transcript := next (transcript st) (open_round st) (round_root sp (slots st)); members := who;
     slots := repeat None (parties sp); closed := closed st ++ [slots st]; leavers := leavers st; deadline := 0; call_blocks := 0;
     callers := repeat false (validators sp); ending := None |}.

(** Closes the open round, if that is due: [over] says that last call is. *)
Definition settle (sp : spec) (b : block D) (over : bool) (st : state D) : state D :=
  if negb (is_live st) then st
  else if remaining sp st <? quorum sp then end_with sp b st Aborted LeftByName (last_leaver st) None
  else if (0 <? awaited sp st) && negb over then st
  else match winner sp (slots st) with
    | Some (Finishes o, _) => end_with sp b st Finished NoCause None (Some o)
    | Some (_, who) =>
        if max_rounds sp <=? open_round st then end_with sp b st Aborted OutOfRounds None None
        else end_if_too_few sp b (advance sp st who)
    | None =>
        end_with sp b st Aborted (if count (filled (slots st)) <? quorum sp then TooFew else Disagreement) None None
    end.

(** Whether the session is in last call in this block. *)
Definition in_last_call (b : block D) (st : state D) : bool :=
  is_live st && (0 <? deadline st) && (deadline st <? ms b).

Definition start_clock (sp : spec) (b : block D) (st : state D) : state D :=
  if is_live st && (deadline st =? 0)
  then with_clock st (ms b + (if is_joining st then join_ms sp else round_ms sp)) (call_blocks st) (callers st)
  else st.

(** Counts the block for its proposer, if it carried no entry. *)
Definition count_call (b : block D) (carried : bool) (st : state D) : state D :=
  let who :=
    match proposer b with
    | Some p => if carried then callers st else put p true (callers st)
    | None => callers st
    end in
  with_clock st (deadline st) (S (call_blocks st)) who.

Definition faults (sp : spec) : nat := (validators sp - 1) / 3.

(** One block: the state after it, and which transactions it took. *)
Definition step (sp : spec) (st : state D) (b : block D) : state D * list bool :=
  let calls := in_last_call b st in
  let '(st, taken, carried) := apply_all sp (start_clock sp b st) (txs b) in
  let st := if calls then count_call b carried st else st in
  let over := calls && (faults sp <? count (callers st)) in
  (settle sp b over st, taken).

Definition run (sp : spec) (st : state D) (bs : list (block D)) : state D :=
  fold_left (fun st b => fst (step sp st b)) bs st.

(** * What a reader checks

    It checks neither deadlines nor leavers nor [max_rounds]: what is proved of readers holds of more histories than boards can make. *)

(** One slot of round [r], which [who] may fill and whose entries have to name [t]. That its party has signed it is said where it is used. *)
Definition slot_fits (r : nat) (t : D) (who : list bool) (i : nat) (s : slot D) : bool :=
  match s with
  | None => true
  | Some (Join j _) => (r =? 0) && (j =? i) && bit who i
  | Some (Post r' j t' _) | Some (Finish r' j t' _) => (0 <? r) && (r' =? r) && (j =? i) && same t' t && bit who i
  end.

Definition round_fits (sp : spec) (r : nat) (t : D) (who : list bool) (s : round D) : bool :=
  (length s =? parties sp) && forallb (fun i => slot_fits r t who i (nth i s None)) (seq 0 (parties sp)).

(** Reads closed rounds from round [r] on: the transcript after them and the members, unless something is refused. *)
Fixpoint read_from (sp : spec) (r : nat) (t : D) (who : list bool) (rounds : list (round D)) : option (D * list bool) :=
  match rounds with
  | [] => Some (t, who)
  | s :: rounds =>
      if round_fits sp r t who s then
        match winner sp s with
        | Some (Joins, who) | Some (Posts, who) => read_from sp (S r) (next t r (round_root sp s)) who rounds
        | _ => None
        end
      else None
  end.

Definition read (sp : spec) (rounds : list (round D)) : option (D * list bool) :=
  read_from sp 0 (session_id sp) (repeat true (parties sp)) rounds.

(** The outcome with which a session finished in the round with these slots, after these closed rounds. *)
Definition outcome (sp : spec) (rounds : list (round D)) (last : round D) : option nat :=
  match read sp rounds with
  | Some (t, who) =>
      if round_fits sp (length rounds) t who last then
        match winner sp last with
        | Some (Finishes o, _) => Some o
        | _ => None
        end
      else None
  | None => None
  end.

End Machine.

Arguments index {D}.

(** The model: how the board's charter changes, as the state machine keeps it.

    It computes. [Extract.v] makes a program of it, which [tests/proof] runs beside the real state machine on the same schedules.
    Nothing is proved here. Names are those of [docs/spec/model.md]; numbers are unbounded. *)

From Coq Require Import List Arith Bool.
From WhiteCity Require Import Model.
Import ListNotations.

(** A charter. [operators] are the operators' keys, in the charter's order; [content] stands for whatever else it says. [D] is what a hash is. *)
Record charter (D : Type) := Charter {
  number : nat;
  previous : D;
  until : nat;
  operators : list nat;
  content : nat }.

Arguments Charter {D}. Arguments number {D}. Arguments previous {D}. Arguments until {D}. Arguments operators {D}. Arguments content {D}.

(** An operator's word: it approves a charter, or takes back what it has approved. [signer] is the key that has signed it. *)
Record word (D : Type) := Word {
  in_term : nat;
  place : nat;
  sequence : nat;
  says : option (charter D);
  signer : nat }.

Arguments Word {D}. Arguments in_term {D}. Arguments place {D}. Arguments sequence {D}. Arguments says {D}. Arguments signer {D}.

(** What stands of an operator: its last word in this term, and when it last approved a charter. *)
Record standing (D : Type) := Standing {
  last : nat;
  since : nat;
  approves : option D }.

Arguments Standing {D}. Arguments last {D}. Arguments since {D}. Arguments approves {D}.

(** The charter in force, those before it, the newest first, and what stands of each operator. *)
Record board (D : Type) := Board {
  force : charter D;
  earlier : list (charter D);
  words : list (option (standing D)) }.

Arguments Board {D}. Arguments force {D}. Arguments earlier {D}. Arguments words {D}.

(** A block, as far as operators are concerned: its board time, and their words. *)
Record sitting (D : Type) := Sitting {
  at_ms : nat;
  said : list (word D) }.

Arguments Sitting {D}. Arguments at_ms {D}. Arguments said {D}.

Inductive refusal := OtherTerm | NotAnOperator | AlreadyStored | OtherSequence | NothingChanges | TooSoon | BadSignature | BadCharter.

Section Charters.

Variable D : Type.
Variable hash : charter D -> D.
Variable same : D -> D -> bool.
(** Time between two approvals of one operator. *)
Variable pace : nat.

Definition same_word (a b : option D) : bool :=
  match a, b with Some a, Some b => same a b | None, None => true | _, _ => false end.

(** The board in its first term. *)
Definition founded (c : charter D) : board D := {| force := c; earlier := []; words := repeat None (length (operators c)) |}.

(** Whether a charter may follow the one in force, as far as the model knows charters. *)
Definition may_follow (b : board D) (now : nat) (c : charter D) : bool :=
  (number c =? S (number (force b))) && same (previous c) (hash (force b)) && (now <=? until c).

Definition of_operator (b : board D) (i : nat) : option (standing D) := nth i (words b) None.

(** Why a word is refused, in the order in which the board asks. *)
Definition refuses (b : board D) (now : nat) (w : word D) : option refusal :=
  let comes := option_map hash (says w) in
  let stands := of_operator b (place w) in
  let so_far := match stands with Some s => last s | None => 0 end in
  let approved := match stands with Some s => approves s | None => None end in
  let is_stored := match stands with Some s => (last s =? sequence w) && same_word (approves s) comes | None => false end in
  let is_early := match says w, stands with Some _, Some s => now <? since s + pace | _, _ => false end in
  if negb (in_term w =? number (force b)) then Some OtherTerm
  else match nth_error (operators (force b)) (place w) with
  | None => Some NotAnOperator
  | Some key =>
      if is_stored then Some AlreadyStored
      else if negb (sequence w =? S so_far) then Some OtherSequence
      else if same_word approved comes then Some NothingChanges
      else if is_early then Some TooSoon
      else if negb (signer w =? key) then Some BadSignature
      else match says w with
        | Some c => if may_follow b now c then None else Some BadCharter
        | None => None
        end
  end.

(** The board with a word that it takes. Time of a charter's approval outlives its withdrawal. *)
Definition stood (b : board D) (now : nat) (w : word D) : board D :=
  let before := match of_operator b (place w) with Some s => since s | None => 0 end in
  let new := {| last := sequence w;
                since := match says w with Some _ => now | None => before end;
                approves := option_map hash (says w) |} in
  {| force := force b; earlier := earlier b; words := put (place w) (Some new) (words b) |}.

(** The board after these words; which were refused, and why; the charters that the taken ones carry. *)
Fixpoint hear (b : board D) (now : nat) (l : list (word D)) : board D * list (option refusal) * list (charter D) :=
  match l with
  | [] => (b, [], [])
  | w :: l =>
      match refuses b now w with
      | Some r => let '(b, refused, carried) := hear b now l in (b, Some r :: refused, carried)
      | None =>
          let '(b, refused, carried) := hear (stood b now w) now l in
          (b, None :: refused, match says w with Some c => c :: carried | None => carried end)
      end
  end.

(** Which operators approve a charter. *)
Definition approving (h : D) (s : option (standing D)) : bool :=
  match s with Some s => same_word (approves s) (Some h) | None => false end.
Definition approvers (b : board D) (h : D) : list bool := map (approving h) (words b).

(** Whether these are more than two thirds of so many. *)
Definition is_enough (k : nat) (who : list bool) : bool := 2 * k <? 3 * count who.

(** The charter that more than two thirds of the operators approve. *)
Definition approved (b : board D) : option D :=
  let is_approved s :=
    match s with
    | Some {| approves := Some h |} => is_enough (length (operators (force b))) (approvers b h)
    | _ => false
    end in
  match find is_approved (words b) with
  | Some (Some s) => approves s
  | _ => None
  end.

(** Begins the next term, if there is such a charter: a block without an approval changes nothing, so the block carries it. *)
Definition enact (b : board D) (carried : list (charter D)) : board D :=
  match approved b with
  | Some h =>
      match find (fun c => same (hash c) h) carried with
      | Some c => {| force := c; earlier := force b :: earlier b; words := repeat None (length (operators c)) |}
      | None => b
      end
  | None => b
  end.

Definition sit (b : board D) (s : sitting D) : board D * list (option refusal) :=
  let '(b, refused, carried) := hear b (at_ms s) (said s) in (enact b carried, refused).

Definition govern (b : board D) (l : list (sitting D)) : board D := fold_left (fun b s => fst (sit b s)) l b.

(** All charters so far, the first one first. *)
Definition line (b : board D) : list (charter D) := rev (force b :: earlier b).

End Charters.

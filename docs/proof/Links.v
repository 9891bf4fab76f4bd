(** The model: how a client walks from the genesis's validators to today's, and which headers it takes.

    It computes. [Extract.v] makes a program of it, which [tests/proof] runs beside the real verifier on the same links and headers.
    Nothing is proved here. Names are those of [docs/spec/model.md]; numbers are unbounded, and keys are numbers. *)

From Coq Require Import List Arith Bool.
From WhiteCity Require Import Model.
Import ListNotations.

(** A header: it names the validators that sign it, and those of the next block, by their hashes; [rest] stands for whatever else it says. [D] is
    what a hash of a set of validators is. *)
Record header (D : Type) := Header {
  level : nat;
  own : D;
  next_set : D;
  rest : nat }.

Arguments Header {D}. Arguments level {D}. Arguments own {D}. Arguments next_set {D}. Arguments rest {D}.

(** What is in a validator's place below a header: nothing, or a vote, with the key that has signed it, and for what it was signed. *)
Inductive vote (D : Type) :=
  | Absent
  | ForNothing (by_ : nat)
  | ForBlock (by_ : nat) (h : header D).

Arguments Absent {D}. Arguments ForNothing {D}. Arguments ForBlock {D}.

Record signed_header (D : Type) := SignedHeader {
  head : header D;
  votes : list (vote D) }.

Arguments SignedHeader {D}. Arguments head {D}. Arguments votes {D}.

(** A header that names others for the next block, and the keys of these. *)
Record link (D : Type) := Link {
  handing : signed_header D;
  newcomers : list nat }.

Arguments Link {D}. Arguments handing {D}. Arguments newcomers {D}.

(** The validators of an era, the first height that they sign, and the header that handed over to them. *)
Record era (D : Type) := Era {
  first_level : nat;
  keys : list nat;
  by_header : option (header D) }.

Arguments Era {D}. Arguments first_level {D}. Arguments keys {D}. Arguments by_header {D}.

(** What a client knows: era 0, and those after it, the newest first. *)
Record trust (D : Type) := Trust {
  origin : era D;
  later : list (era D) }.

Arguments Trust {D}. Arguments origin {D}. Arguments later {D}.

Inductive verdict := Accepted | Ahead | OtherValidators | TooEarly | BadCommit.
Inductive lesson := Learned | Known | NoKeys | NoHeader (why : verdict) | NotTo | Fork.

Section Links.

Variable D : Type.
Variable hash : list nat -> D.
Variable same : D -> D -> bool.

Definition same_header (a b : header D) : bool :=
  (level a =? level b) && same (own a) (own b) && same (next_set a) (next_set b) && (rest a =? rest b).

(** A client that has the genesis: its validators and its first height. *)
Definition begun (initial : nat) (ks : list nat) : trust D :=
  {| origin := {| first_level := initial; keys := ks; by_header := None |}; later := [] |}.

(** The era that signs a header of this height, as far as is known, and the one after it, if that is known. *)
Fixpoint era_among (o : era D) (l : list (era D)) (after : option (era D)) (n : nat) : era D * option (era D) :=
  match l with
  | [] => (o, after)
  | e :: l => if first_level e <=? n then (e, after) else era_among o l (Some e) n
  end.

Definition era_at (t : trust D) (n : nat) : era D * option (era D) := era_among (origin t) (later t) None n.

(** Whether a vote is in its validator's place, and signed. *)
Definition fits (h : header D) (key : nat) (v : vote D) : bool :=
  match v with
  | Absent => true
  | ForNothing p => p =? key
  | ForBlock p h' => (p =? key) && same_header h' h
  end.

Fixpoint all_fit (h : header D) (ks : list nat) (vs : list (vote D)) : bool :=
  match ks, vs with
  | [], [] => true
  | key :: ks, v :: vs => fits h key v && all_fit h ks vs
  | _, _ => false
  end.

Definition is_for (v : vote D) : bool := match v with ForBlock _ _ => true | _ => false end.

(** Whether more than two thirds of these validators have voted for a header. *)
Definition is_signed (ks : list nat) (s : signed_header D) : bool :=
  all_fit (head s) ks (votes s) && (2 * length ks <? 3 * count (map is_for (votes s))).

(** What holds of every header that the validators of an era have signed, whomever it names for the next block. *)
Definition certified (t : trust D) (e : era D) (s : signed_header D) : verdict :=
  if negb (same (own (head s)) (hash (keys e))) then OtherValidators
  else if level (head s) <? first_level (origin t) then TooEarly
  else if is_signed (keys e) s then Accepted
  else BadCommit.

(** Whether a client takes a header. The last one of an era names others for the next block. *)
Definition verify (t : trust D) (s : signed_header D) : verdict :=
  match era_at t (level (head s)) with
  | (e, None) => if same (own (head s)) (hash (keys e)) then certified t e s else Ahead
  | (e, Some after) =>
      let is_last := S (level (head s)) =? first_level after in
      let expected := if is_last then hash (keys after) else hash (keys e) in
      if same (own (head s)) (hash (keys e)) && same (next_set (head s)) expected then certified t e s else OtherValidators
  end.

Fixpoint ascending (l : list nat) : bool :=
  match l with
  | a :: (b :: _) as l' => (a <? b) && ascending l'
  | _ => true
  end.

(** Takes a link, or says why not. *)
Definition learn (t : trust D) (l : link D) : trust D * lesson :=
  let h := head (handing l) in
  if negb (ascending (newcomers l) && (0 <? length (newcomers l)) && (length (newcomers l) <=? 256)) then (t, NoKeys)
  else match era_at t (level h) with
  | (e, Some after) =>
      match certified t e (handing l) with
      | Accepted => (t, match by_header after with Some h' => if same_header h' h then Known else Fork | None => Fork end)
      | no => (t, NoHeader no)
      end
  | (e, None) =>
      match verify t (handing l) with
      | Accepted =>
          if negb (same (next_set h) (hash (newcomers l))) || same (next_set h) (hash (keys e)) then (t, NotTo)
          else ({| origin := origin t;
                   later := {| first_level := S (level h); keys := newcomers l; by_header := Some h |} :: later t |}, Learned)
      | no => (t, NoHeader no)
      end
  end.

Definition walk (t : trust D) (l : list (link D)) : trust D := fold_left (fun t x => fst (learn t x)) l t.

End Links.

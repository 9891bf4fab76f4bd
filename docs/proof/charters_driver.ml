(* Runs the extracted model of charters for tests/proof: commands on stdin, a line for some of them on stdout.

   found PACE CHARTER            a board in its first term
   block MS                      a block begins, with its board time
   approve TERM OPERATOR SEQUENCE SIGNER CHARTER | withdraw TERM OPERATOR SEQUENCE SIGNER      in the block
   end                           the block ends

   CHARTER is NUMBER PREVIOUS UNTIL CONTENT OPERATOR,OPERATOR,... A hash is a number: 0 is the hash that stands for what is absent, and
   what is hashed for the first time gets the next one. *)

open Charters

let numbers : (int charter, int) Hashtbl.t = Hashtbl.create 4096

let hash charter =
  match Hashtbl.find_opt numbers charter with
  | Some number -> number
  | None ->
      let number = Hashtbl.length numbers + 1 in
      Hashtbl.add numbers charter number;
      number

let same (a : int) b = a = b
let list f l = String.concat "," (List.map f l)

let refusal_name = function
  | OtherTerm -> "term"
  | NotAnOperator -> "operator"
  | AlreadyStored -> "stored"
  | OtherSequence -> "sequence"
  | NothingChanges -> "nothing"
  | TooSoon -> "soon"
  | BadSignature -> "signature"
  | BadCharter -> "charter"

let outcome = function None -> "taken" | Some refusal -> refusal_name refusal
let approved s = match s.approves with Some h -> h | None -> 0

(* The operators of whom a word stands, each with its place. *)
let standing words =
  let word i = Option.map (fun s -> Printf.sprintf "%d/%d/%d/%d" i s.last s.since (approved s)) in
  String.concat "," (List.filter_map Fun.id (List.mapi word words))

let say b refused =
  let c = b.force in
  Printf.printf "refused=%s term=%d until=%d content=%d charters=%d words=%s force=%d previous=%d operators=%s\n%!"
    (list outcome refused) c.number c.until c.content (List.length b.earlier) (standing b.words) (hash c) c.previous
    (list string_of_int c.operators)

let charter words =
  Scanf.sscanf words "%d %d %d %d %s" (fun number previous until content operators ->
      let operators = List.map int_of_string (String.split_on_char ',' operators) in
      { number; previous; until; operators; content })

let rec sitting at_ms said =
  Scanf.sscanf (input_line stdin) "%s@ %[^\n]" (fun kind rest ->
      let word in_term place sequence signer says = { in_term; place; sequence; says; signer } in
      match kind with
      | "approve" ->
          let word = Scanf.sscanf rest "%d %d %d %d %[^\n]" (fun t i n s c -> word t i n s (Some (charter c))) in
          sitting at_ms (word :: said)
      | "withdraw" -> sitting at_ms (Scanf.sscanf rest "%d %d %d %d" (fun t i n s -> word t i n s None) :: said)
      | "end" -> { at_ms; said = List.rev said }
      | other -> failwith other)

let rec board pace b =
  match input_line stdin with
  | exception End_of_file -> ()
  | line ->
      Scanf.sscanf line "%s@ %[^\n]" (fun kind rest ->
          match kind with
          | "found" ->
              let pace, c = Scanf.sscanf rest "%d %[^\n]" (fun pace c -> (pace, charter c)) in
              let b = founded c in
              say b [];
              board pace b
          | "block" ->
              let b, refused = sit hash same pace b (sitting (int_of_string rest) []) in
              say b refused;
              board pace b
          | other -> failwith other)

let () = board 0 (founded { number = 0; previous = 0; until = 0; operators = []; content = 0 })

(* Runs the extracted model of a client that walks links for tests/proof: commands on stdin, a line for each of them on stdout.

   begin INITIAL KEYS            a client that has the genesis
   learn KEYS SIGNED             it is shown a link
   verify SIGNED                 it is shown a header

   KEYS is KEY,KEY,... or - for none. SIGNED is HEADER VOTE VOTE ..., a HEADER is LEVEL:KEYS:KEYS:REST, of which it has the hashes, and a VOTE is
   absent, nothing/KEY or block/KEY/HEADER. *)

open Links

let numbers : (int list, int) Hashtbl.t = Hashtbl.create 4096

let hash keys =
  match Hashtbl.find_opt numbers keys with
  | Some number -> number
  | None ->
      let number = Hashtbl.length numbers + 1 in
      Hashtbl.add numbers keys number;
      number

let same (a : int) b = a = b
let keys = function "-" -> [] | text -> List.map int_of_string (String.split_on_char ',' text)

let header text =
  match String.split_on_char ':' text with
  | [ level; own; next; rest ] ->
      { level = int_of_string level; own = hash (keys own); next_set = hash (keys next); rest = int_of_string rest }
  | _ -> failwith text

let vote text =
  match String.split_on_char '/' text with
  | [ "absent" ] -> Absent
  | [ "nothing"; key ] -> ForNothing (int_of_string key)
  | [ "block"; key; of_ ] -> ForBlock (int_of_string key, header of_)
  | _ -> failwith text

let signed = function head :: votes -> { head = header head; votes = List.map vote votes } | [] -> failwith "no header"

let verdict_name = function
  | Accepted -> "accepted"
  | Ahead -> "ahead"
  | OtherValidators -> "validators"
  | TooEarly -> "early"
  | BadCommit -> "commit"

let lesson_name = function
  | Learned -> "learned"
  | Known -> "known"
  | NoKeys -> "keys"
  | NoHeader verdict -> "header-" ^ verdict_name verdict
  | NotTo -> "not-to"
  | Fork -> "fork"

let say t answer = Printf.printf "answer=%s eras=%d\n%!" answer (List.length t.later)

let rec client t =
  match input_line stdin with
  | exception End_of_file -> ()
  | line -> (
      match String.split_on_char ' ' line with
      | [ "begin"; initial; set ] ->
          let t = begun (int_of_string initial) (keys set) in
          say t "begun";
          client t
      | "learn" :: newcomers :: shown ->
          let t, lesson = learn hash same t { handing = signed shown; newcomers = keys newcomers } in
          say t (lesson_name lesson);
          client t
      | "verify" :: shown ->
          say t (verdict_name (verify hash same t (signed shown)));
          client t
      | _ -> failwith line)

let () = client (begun 0 [])

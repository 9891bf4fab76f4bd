(* Runs the extracted model for tests/proof: commands on stdin, a line for each of them on stdout.

   open PARTIES QUORUM CORRUPT ROUNDS JOIN_MS ROUND_MS RETENTION_MS VALIDATORS NONCE
   block HEIGHT MS PROPOSER      a block begins; PROPOSER is -1 if it is no validator's. It says nothing
   join I KEY | post R I T CONTENT | finish R I T OUTCOME | decline I REASON | abort I CAUSE      in the block, which say nothing
   end                           the block ends

   A hash is a number: 0 is the hash that stands for what is absent, and what is hashed for the first time gets the next one. So
   different things have different hashes, and equal things the same one, as the proofs assume. *)

open Model

let numbers : (int msg, int) Hashtbl.t = Hashtbl.create 4096

let hash message =
  match Hashtbl.find_opt numbers message with
  | Some number -> number
  | None ->
      let number = Hashtbl.length numbers + 1 in
      Hashtbl.add numbers message number;
      number

let zero = 0
let same (a : int) b = a = b
let bits l = String.concat "" (List.map (fun b -> if b then "1" else "0") l)
let list f l = String.concat "," (List.map f l)
let or_dash f = function Some x -> f x | None -> "-"

let phase_name = function
  | Joining -> "joining"
  | Running -> "running"
  | Finished -> "finished"
  | Aborted -> "aborted"

let cause_name = function
  | NoCause -> "none"
  | TooFew -> "too-few"
  | Disagreement -> "disagreement"
  | LeftByName -> "left"
  | OutOfRounds -> "out-of-rounds"

let ending_words e =
  Printf.sprintf "%s/%s/%d/%d/%s/%s/%s/%s" (phase_name e.end_status) (cause_name e.end_cause) e.end_height e.end_ms
    (or_dash string_of_int e.end_by)
    (or_dash string_of_int e.end_outcome)
    (bits e.end_members) (bits e.end_filled)

let slot_word sp = function None -> "0" | Some e -> string_of_int (digest hash sp e)

let say sp st taken =
  Printf.printf
    "taken=%s phase=%s open=%d members=%s slots=%s closed=%s transcript=%d root=%d left=%s deadline=%d blocks=%d callers=%s \
     ending=%s session=%d leaf=%d\n\
     %!"
    (bits taken) (phase_name st.phase) st.open_round (bits st.members)
    (list (slot_word sp) st.slots)
    (list (fun s -> string_of_int (round_root hash zero sp s)) st.closed)
    st.transcript
    (round_root hash zero sp st.slots)
    (list (fun (i, _) -> string_of_int i) st.leavers)
    st.deadline st.call_blocks (bits st.callers)
    (or_dash ending_words st.ending)
    (session_id hash sp) (leaf hash zero sp st)

let rec block height ms proposer txs =
  let more tx = block height ms proposer (tx :: txs) in
  Scanf.sscanf (input_line stdin) "%s@ %[^\n]" (fun word rest ->
      let scan format f = Scanf.sscanf rest format f in
      match word with
      | "join" -> more (scan "%d %d" (fun i key -> Write (Join (i, key))))
      | "post" -> more (scan "%d %d %d %d" (fun r i t c -> Write (Post (r, i, t, c))))
      | "finish" -> more (scan "%d %d %d %d" (fun r i t o -> Write (Finish (r, i, t, o))))
      | "decline" -> more (scan "%d %d" (fun i reason -> Leave (i, Decline reason)))
      | "abort" -> more (scan "%d %d" (fun i cause -> Leave (i, Abort cause)))
      | "end" -> { height; ms; proposer; txs = List.rev txs }
      | other -> failwith other)

let opened_with rest =
  Scanf.sscanf rest "%d %d %d %d %d %d %d %d %d %d"
    (fun parties quorum corrupt_max max_rounds join_ms round_ms retention_ms open_by_ms validators nonce ->
      { parties; quorum; corrupt_max; max_rounds; join_ms; round_ms; retention_ms; open_by_ms; validators; nonce })

let rec session sp st =
  match input_line stdin with
  | exception End_of_file -> ()
  | line ->
      Scanf.sscanf line "%s@ %[^\n]" (fun word rest ->
          match word with
          | "open" ->
              let sp = opened_with rest in
              let st = opened hash sp in
              say sp st [];
              session sp st
          | "block" ->
              let height, ms, proposer = Scanf.sscanf rest "%d %d %d" (fun h ms p -> (h, ms, p)) in
              let proposer = if proposer < 0 then None else Some proposer in
              let st, taken = step hash zero same sp st (block height ms proposer []) in
              say sp st taken;
              session sp st
          | other -> failwith other)

let () =
  let sp = opened_with "1 1 0 1 1 1 1 1 1 0" in
  session sp (opened hash sp)

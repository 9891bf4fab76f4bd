(** The model as a program, for [driver.ml]. Natural numbers become OCaml's, of 63 bits. *)

From Coq Require Import Extraction ExtrOcamlBasic ExtrOcamlNatInt.
From WhiteCity Require Import Model.

Extraction Language OCaml.
Extraction "model.ml" session_id digest round_root leaf opened step.

(** The models as programs, for [driver.ml], [charters_driver.ml] and [links_driver.ml]. Natural numbers become OCaml's, of 63 bits. *)

From Coq Require Import Extraction ExtrOcamlBasic ExtrOcamlNatInt.
From WhiteCity Require Import Model Charters Links.

Extraction Language OCaml.
Extraction "model.ml" session_id digest round_root leaf opened step.
Extraction "charters.ml" founded sit.
Extraction "links.ml" begun learn verify.

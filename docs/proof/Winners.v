(** Winners are unique, as soon as a quorum is more than half. *)

From Coq Require Import List Arith Bool Lia.
From WhiteCity Require Import Model Basics.
Import ListNotations.

(** At most one group has a quorum. *)
Theorem winners_are_unique {D} (sp : spec) (s : round D) g h :
  length s = parties sp ->
  parties sp < 2 * quorum sp ->
  quorum sp <= count (authors g s) ->
  quorum sp <= count (authors h s) ->
  g = h.
Proof.
  intros len half cg ch.
  destruct (overlap (parties sp) (quorum sp) 0 (authors g s) (authors h s) (repeat false (parties sp)))
    as (i & _ & ig & ih & _); try (rewrite authors_length; assumption); auto.
  - apply repeat_length.
  - rewrite count_repeat_false; lia.
  - lia.
  - apply author_iff in ig as (e & at_i & <-). apply author_iff in ih as (e' & at_i' & <-).
    rewrite at_i in at_i'; injection at_i' as <-; reflexivity.
Qed.

(** What [winner] gives is a group with a quorum, and its authors. *)
Lemma winner_has_quorum {D} (sp : spec) (s : round D) g who :
  winner sp s = Some (g, who) -> who = authors g s /\ quorum sp <= count who.
Proof.
  unfold winner. destruct find as [[e|]|] eqn:found; try discriminate.
  intro same; injection same as <- <-. split; [reflexivity|].
  apply find_some in found as [_ wins]. apply Nat.leb_le, wins.
Qed.

(** It doesn't depend on the order in which groups are looked at: whichever group has a quorum is the one that is given. *)
Theorem winner_is_the_group_with_the_quorum {D} (sp : spec) (s : round D) g :
  length s = parties sp ->
  parties sp < 2 * quorum sp ->
  quorum sp <= count (authors g s) <-> winner sp s = Some (g, authors g s).
Proof.
  intros len half. split.
  - intro cg. unfold winner. destruct find as [[e|]|] eqn:found.
    + apply find_some in found as [_ wins]. apply Nat.leb_le in wins.
      rewrite (winners_are_unique sp s (group_of e) g len half wins cg). reflexivity.
    + apply find_some in found as [_ no]. discriminate no.
    + exfalso.
      destruct (overlap (parties sp) (quorum sp) 0 (authors g s) (authors g s) (repeat false (parties sp)))
        as (i & low & ig & _); try (rewrite authors_length; assumption); auto.
      * apply repeat_length.
      * rewrite count_repeat_false; lia.
      * lia.
      * apply author_iff in ig as (e & at_i & eg).
        assert (into : In (Some e) s). { rewrite <- at_i. apply nth_In. lia. }
        apply (find_none _ _ found) in into. apply Nat.leb_gt in into. rewrite eg in into. lia.
  - intro w. apply winner_has_quorum in w as [_ w]. exact w.
Qed.

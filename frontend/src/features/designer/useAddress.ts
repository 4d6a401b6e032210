import { useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useEffectEvent, useRef } from "react";
import { useStore } from "zustand";
import { findStep } from "@/canvas/document";
import { scopeOf } from "@/canvas/scope";
import type { DesignerStore } from "@/canvas/store";

/**
 * The open loop and the selected step stand in the address, so that a link leads to them. Going into a loop is a
 * step of the browser's history; selecting is not.
 */
export function useAddress(store: DesignerStore): void {
  const { step, loop, version } = useSearch({ from: "/workflows/$name" });
  const navigate = useNavigate({ from: "/workflows/$name" });
  const selected = useStore(store, (state) => (state.selected.length === 1 ? state.selected[0] : undefined));
  const open = useStore(store, (state) => state.scope.at(-1));
  const told = useRef<string | undefined>(undefined);

  const revealLinked = useEffectEvent(() => {
    const { selected, reveal } = store.getState();
    if (step && selected.length === 0) reveal(step);
  });
  // Only when the page opens: from then on the selection leads, and the address follows.
  useEffect(() => revealLinked(), [store]);

  // Back and forward, and links, lead into loops and out of them.
  useEffect(() => {
    if (loop === told.current) return;
    told.current = loop;
    const { document, scope, enter } = store.getState();
    if (loop === scope.at(-1)) return;
    if (loop === undefined) enter([]);
    else if (findStep(document, loop)?.type === "loop") enter([...(scopeOf(document, loop) ?? []), loop]);
  }, [store, loop]);

  useEffect(() => {
    // As it is now: the effect before this one may just have changed it.
    const state = store.getState();
    const now = {
      step: state.selected.length === 1 ? state.selected[0] : undefined,
      loop: state.scope.at(-1),
    };
    if (version !== undefined || (now.step === step && now.loop === loop)) return;
    const replace = now.loop === told.current;
    told.current = now.loop;
    void navigate({ search: (before) => ({ ...before, ...now }), replace, resetScroll: false });
  }, [store, selected, open, step, loop, version, navigate]);
}

import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { keys } from "@/api/keys";
import type { Pool } from "@/api/types";

interface Act<Arg> {
  act: (arg: Arg) => Promise<Pool>;
  /** What to say when it is done; nothing where the card shows it. */
  done?: (arg: Arg) => string;
  /** What did not happen, where no dialog tells it. */
  refused?: string;
  onDone?: () => void;
}

/** Something that one does with a pool: what it changed is asked for, a refusal is told. */
export function usePoolAct<Arg = void>({ act, done, refused, onDone }: Act<Arg>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: act,
    onSuccess: (_pool, arg) => {
      void client.invalidateQueries({ queryKey: keys.pools() });
      if (done) notifications.show({ message: done(arg) });
      onDone?.();
    },
    onError: (error) => {
      if (refused) notifications.show({ color: "red", title: refused, message: error.message });
    },
  });
}

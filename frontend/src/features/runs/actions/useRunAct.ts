import { notifications } from "@mantine/notifications";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { keys } from "@/api/keys";
import type { Run } from "@/api/types";

/** Something that one does with a run: what it changed is asked for, a refusal is told. */
export function useRunAct<Arg = void>(
  run: Pick<Run, "id">,
  act: (arg: Arg) => Promise<Run>,
  refused: string,
  done?: (answer: Run) => void,
) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: act,
    onSuccess: (answer) => {
      void client.invalidateQueries({ queryKey: keys.runLive(run.id) });
      void client.invalidateQueries({
        queryKey: keys.runs(),
        predicate: ({ queryKey }) => queryKey[1] === "list",
      });
      done?.(answer);
    },
    onError: (error) => notifications.show({ color: "red", title: refused, message: error.message }),
  });
}

import { Button, Group, Modal, Skeleton, Stack, Text } from "@mantine/core";
import { useForm } from "@mantine/form";
import { notifications } from "@mantine/notifications";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { ApiProblem } from "@/api/client";
import { keys } from "@/api/keys";
import { changePolicy, createPolicy, deletePolicy, presetList } from "@/api/scaling";
import type { Policy, PolicyInForce, PolicyValues } from "@/api/types";
import { ErrorNote } from "@/components/ErrorNote";
import { focusFirst, showFaults } from "@/components/formFaults";
import formClasses from "@/features/pools/settings/Settings.module.css";
import { usePools } from "@/realtime/pools/usePoolsFeed";
import { changesOf, type Draft, draftOf, newPolicy, placed } from "./draft";
import { LoadFields, PaceFields, PresetFields, SizeFields } from "./fields";

interface Props {
  found: PolicyInForce;
  onClose: () => void;
}

/** The policy of a pool: its own is changed; where there is none, one is made. */
export function PolicyModal({ found, onClose }: Props) {
  const presets = useQuery(presetList);
  return (
    <Modal opened onClose={onClose} size={720} title={`Policy of ${found.pool}`} closeOnClickOutside={false}>
      {presets.error && <ErrorNote error={presets.error} onRetry={() => void presets.refetch()} />}
      {presets.isPending && <Skeleton height={480} />}
      {presets.data && (
        <Editor
          found={found}
          presets={Object.fromEntries(presets.data.map(({ name, values }) => [name, values]))}
          onClose={onClose}
        />
      )}
    </Modal>
  );
}

type EditorProps = Props & { presets: Record<string, PolicyValues> };

function Editor({ found, presets, onClose }: EditorProps) {
  const own = found.policy?.pool != null ? found.policy : null;
  const { form, save, same } = usePolicyForm(found, own, presets, onClose);
  const preset = presets[form.values.preset];
  const pool = usePools().data?.pools.find(({ name }) => name === found.pool);
  const left = save.error instanceof ApiProblem ? placed(save.error.errors).left : [];
  const more =
    save.error && (!(save.error instanceof ApiProblem) || save.error.errors.length === 0 || left.length > 0);
  return (
    <form
      className={formClasses.form}
      aria-label={`Policy of ${found.pool}`}
      onSubmit={form.onSubmit(
        (draft) => save.mutate(draft),
        (faults) => focusFirst(form, faults),
      )}
      noValidate
    >
      <Stack gap={16}>
        <WhoseNote found={found} own={own} />
        <PresetFields form={form} />
        <SizeFields form={form} preset={preset} pool={pool} />
        <LoadFields form={form} preset={preset} />
        <PaceFields form={form} preset={preset} />
        <div className={formClasses.foot}>
          {more && <ErrorNote error={save.error} title="The policy was not saved" />}
          <Group justify="space-between" gap={8}>
            {own ? <RemoveButton policy={own} onClose={onClose} /> : <span />}
            <Group gap={8}>
              <Button variant="default" onClick={onClose}>
                Leave it
              </Button>
              <Button type="submit" loading={save.isPending} disabled={own !== null && same}>
                Save
              </Button>
            </Group>
          </Group>
        </div>
      </Stack>
    </form>
  );
}

function usePolicyForm(
  found: PolicyInForce,
  own: Policy | null,
  presets: Record<string, PolicyValues>,
  onClose: () => void,
) {
  const client = useQueryClient();
  const form = useForm<Draft>({ initialValues: draftOf(found, presets) });
  const before = form.getInitialValues();
  const save = useMutation({
    mutationFn: (draft: Draft) =>
      own
        ? changePolicy(own.id, changesOf(draft, before, presets))
        : createPolicy(newPolicy(found.pool, draft, presets)),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: keys.policies() });
      onClose();
    },
    onError: (error) => {
      showFaults(form, error instanceof ApiProblem ? placed(error.errors).at : {});
    },
  });
  const same = Object.keys(changesOf(form.values, before, presets)).length === 0;
  return { form, save, same };
}

/** Whose policy counts now, and what saving does about it. */
function WhoseNote({ found, own }: { found: PolicyInForce; own: Policy | null }) {
  if (own) return <Text c="dimmed">Fields that are left empty are the preset’s.</Text>;
  const workflow = found.policy?.workflow;
  return (
    <Text c="dimmed">
      {workflow
        ? `The policy of ${workflow} counts for this pool. Saving makes one for this pool alone, which goes before it.`
        : "Nobody wrote a policy for this pool yet; saving makes one. Fields that are left empty are the preset’s."}
    </Text>
  );
}

function RemoveButton({ policy, onClose }: { policy: Policy; onClose: () => void }) {
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: () => deletePolicy(policy.id),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: keys.policies() });
      notifications.show({ message: `${policy.pool} has no policy of its own any more.` });
      onClose();
    },
    onError: (error) =>
      notifications.show({ color: "red", title: "The policy stays", message: error.message }),
  });
  return (
    <Button
      variant="default"
      color="red"
      loading={remove.isPending}
      onClick={() => remove.mutate()}
      title="Then its workflow’s policy counts, or else the preset balanced"
    >
      Remove policy
    </Button>
  );
}

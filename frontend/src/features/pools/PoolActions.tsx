import { ActionIcon, Menu } from "@mantine/core";
import {
  IconDots,
  IconDroplet,
  IconFlame,
  IconPencil,
  IconPlayerPlay,
  IconRecycle,
  type TablerIcon,
  IconTrash,
} from "@tabler/icons-react";
import { type ReactNode, useState } from "react";
import { usePoolRefusal } from "@/api/me";
import type { Pool } from "@/api/types";
import { DrainModal } from "./actions/DrainModal";
import { useRecycling } from "./actions/recycling";
import { useRemoval } from "./actions/removal";
import { useResuming } from "./actions/resuming";
import { WarmModal } from "./actions/WarmModal";
import { PoolModal } from "./PoolModal";

type Dialog = "warm" | "drain" | "edit";

/** What one can do with a pool, besides its sizes. */
export function PoolActions({ pool }: { pool: Pool }) {
  const [dialog, setDialog] = useState<Dialog | null>(null);
  const close = () => setDialog(null);
  const recycle = useRecycling(pool);
  const remove = useRemoval(pool);
  const resume = useResuming(pool);
  const refusal = usePoolRefusal(pool);
  const asleep = pool.drained ? "The pool is drained; resume it first." : null;
  return (
    <>
      <Menu position="bottom-end" width={184}>
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" aria-label={`More for ${pool.name}`}>
            <IconDots size={16} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Action icon={IconFlame} refusal={refusal ?? asleep} onClick={() => setDialog("warm")}>
            Warm…
          </Action>
          {pool.drained ? (
            <Action icon={IconPlayerPlay} refusal={refusal} onClick={() => resume.mutate()}>
              Resume
            </Action>
          ) : (
            <Action icon={IconDroplet} refusal={refusal} onClick={() => setDialog("drain")}>
              Drain…
            </Action>
          )}
          <Action icon={IconRecycle} refusal={refusal} onClick={recycle}>
            Recycle…
          </Action>
          <Menu.Divider />
          <Action icon={IconPencil} refusal={refusal} onClick={() => setDialog("edit")}>
            Edit…
          </Action>
          <Action icon={IconTrash} refusal={refusal} onClick={remove} color="red">
            Delete…
          </Action>
        </Menu.Dropdown>
      </Menu>
      {dialog === "warm" && <WarmModal pool={pool} onClose={close} />}
      {dialog === "drain" && <DrainModal pool={pool} onClose={close} />}
      {dialog === "edit" && <PoolModal pool={pool} onClose={close} />}
    </>
  );
}

interface ActionProps {
  icon: TablerIcon;
  /** Why it cannot be done, in a sentence; null when it can. */
  refusal: string | null;
  onClick: () => void;
  color?: string;
  children: ReactNode;
}

function Action({ icon: Icon, refusal, onClick, color, children }: ActionProps) {
  return (
    <Menu.Item
      color={color}
      leftSection={<Icon size={16} aria-hidden />}
      disabled={refusal !== null}
      title={refusal ?? undefined}
      onClick={onClick}
    >
      {children}
    </Menu.Item>
  );
}

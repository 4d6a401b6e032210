import { Button, Group, Text } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { channelList } from "@/api/alerts";
import { me, useRefusal } from "@/api/me";
import { Allowed } from "@/components/Allowed";
import { ErrorNote } from "@/components/ErrorNote";
import { RowsSkeleton } from "@/features/runs/RowsSkeleton";
import { Section } from "../Section";
import classes from "./Alerts.module.css";
import { ChannelModal } from "./ChannelModal";
import { ChannelRow } from "./ChannelRow";

const NEW = "new";

interface Props {
  /** The id of the channel that is edited, or "new". */
  edited: string | undefined;
  onEdit: (id: string | undefined) => void;
}

/** Where the team's alerts go, and how the last one went. */
export function Channels({ edited, onEdit }: Props) {
  const hidden = useRefusal("operator");
  const refusal = useRefusal("admin");
  const known = useQuery(me).data !== undefined;
  const found = useQuery({ ...channelList, enabled: known && hidden === null });
  const rows = found.data?.results ?? [];
  const close = () => onEdit(undefined);
  const channel = rows.find(({ id }) => id === edited);
  return (
    <Section title="Channels" about="Where alerts are sent. What does not arrive is tried again for an hour.">
      {hidden && <Text c="dimmed">{hidden} Addresses of webhooks are often as good as passwords.</Text>}
      {found.error && <ErrorNote error={found.error} onRetry={() => void found.refetch()} />}
      {found.isLoading && <RowsSkeleton rows={2} />}
      {found.data && rows.length === 0 && (
        <Text c="dimmed">There is none yet: alerts are listed here, and sent to nobody.</Text>
      )}
      {rows.length > 0 && (
        <ul className={classes.rows} aria-label="Channels">
          {rows.map((one) => (
            <ChannelRow key={one.id} channel={one} onEdit={() => onEdit(one.id)} />
          ))}
        </ul>
      )}
      {!hidden && (
        <Group mt={16}>
          <Allowed refusal={refusal}>
            {(may) => (
              <Button {...may} leftSection={<IconPlus size={16} aria-hidden />} onClick={() => onEdit(NEW)}>
                Add channel
              </Button>
            )}
          </Allowed>
        </Group>
      )}
      {edited === NEW && !hidden && !refusal && <ChannelModal onClose={close} />}
      {channel && !refusal && <ChannelModal channel={channel} onClose={close} />}
    </Section>
  );
}

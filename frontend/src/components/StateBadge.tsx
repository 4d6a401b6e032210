import classes from "./StateBadge.module.css";
import { lookOf } from "./states";

interface Props {
  state: string;
  /** `plain` leaves the tinted ground out, for dense lists. */
  variant?: "tinted" | "plain";
  size?: "sm" | "md";
  /** What the state means here, where that is not what it means elsewhere. */
  says?: string;
}

/** A state as colour, icon and word. */
export function StateBadge({ state, variant = "tinted", size = "sm", says }: Props) {
  const look = lookOf(state);
  return (
    <span
      className={classes.badge}
      data-hue={look.hue}
      data-variant={variant}
      data-size={size}
      title={says ?? look.says}
    >
      <StateIcon state={state} size={size === "md" ? 16 : 14} />
      {look.word}
    </span>
  );
}

interface IconProps {
  state: string;
  size?: number;
  /** Keeps it from turning, where the state is a past one. */
  still?: boolean;
}

/** The icon alone, where the word stands next to it. */
export function StateIcon({ state, size = 14, still = false }: IconProps) {
  const look = lookOf(state);
  const Icon = look.icon;
  return (
    <Icon
      className={look.turns && !still ? classes.turning : classes.icon}
      data-hue={look.hue}
      size={size}
      stroke={2}
      aria-hidden
    />
  );
}

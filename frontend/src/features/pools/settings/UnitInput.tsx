import { NativeSelect, NumberInput, type NumberInputProps } from "@mantine/core";
import { useState } from "react";
import type { Amount } from "./draft";
import classes from "./Settings.module.css";
import { inUnit, ofUnit, type Unit, unitFor } from "./units";

interface Props extends Omit<NumberInputProps, "value" | "onChange" | "label"> {
  label: string;
  units: Unit[];
  /** In the setting's own unit: seconds, bytes, a share of one. */
  value?: Amount;
  onChange?: (value: Amount) => void;
}

/** A number with the unit that people think in; another unit keeps the number. */
export function UnitInput({ label, units, value = "", onChange, ...rest }: Props) {
  const [unit, setUnit] = useState(() => unitFor(units, value));
  // As typed, so that "1." stays "1." for as long as the amount is what came of it.
  const [typed, setTyped] = useState<{ text: Amount; amount: Amount } | null>(null);
  const shown = typed?.amount === value ? typed.text : inUnit(value, unit);
  const tell = (text: Amount, its: Unit) => {
    const amount = ofUnit(text, its);
    setTyped({ text, amount });
    onChange?.(amount);
  };
  const choose = (name: string) => {
    const chosen = units.find((one) => one.name === name) ?? unit;
    setUnit(chosen);
    tell(shown, chosen);
  };
  const several = units.length > 1;
  return (
    <NumberInput
      {...rest}
      label={label}
      allowNegative={false}
      value={shown}
      onChange={(text) => tell(text, unit)}
      suffix={several ? undefined : ` ${unit.name}`}
      rightSectionWidth={several ? 66 : undefined}
      rightSection={
        several ? (
          <NativeSelect
            aria-label={`Unit of ${label}`}
            variant="unstyled"
            rightSectionWidth={24}
            data={units.map(({ name }) => name)}
            value={unit.name}
            onChange={(event) => choose(event.currentTarget.value)}
            classNames={{ input: classes.unit }}
          />
        ) : undefined
      }
    />
  );
}

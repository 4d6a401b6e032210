import { SegmentedControl, useMantineColorScheme } from "@mantine/core";
import { Section } from "./Section";

const choices = [
  { value: "light", label: "Light" },
  { value: "dark", label: "Dark" },
  { value: "auto", label: "As the system" },
];

export function ThemePanel() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  return (
    <Section title="Theme" about="Kept in this browser.">
      <SegmentedControl
        aria-label="Theme"
        data={choices}
        value={colorScheme}
        onChange={(value) => setColorScheme(value as "light" | "dark" | "auto")}
      />
    </Section>
  );
}

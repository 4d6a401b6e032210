import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from "@mantine/core";

const iris: MantineColorsTuple = [
  "#eef0fd",
  "#dcdffa",
  "#b8bef4",
  "#949cee",
  "#7680e6",
  "#626ddf",
  "#4f5bd5",
  "#434fc4",
  "#3a45ac",
  "#2f398f",
];

const red: MantineColorsTuple = [
  "#fdeeee",
  "#fadadb",
  "#f3b3b5",
  "#ec8b8f",
  "#e3666b",
  "#d4434a",
  "#c4262d",
  "#ad1f26",
  "#931a20",
  "#741418",
];

const dark: MantineColorsTuple = [
  "#ececf1",
  "#c9c9d2",
  "#a2a2af",
  "#757583",
  "#3b3b47",
  "#282831",
  "#1d1d24",
  "#16161b",
  "#0f0f13",
  "#0a0a0d",
];

/** Mantine in the clothes of tokens.css: 8-px grid, 14-px text, hairlines instead of shadows. */
export const theme = createTheme({
  primaryColor: "iris",
  primaryShade: 6,
  colors: { iris, red, dark },
  fontFamily: "var(--af-font)",
  fontFamilyMonospace: "var(--af-mono)",
  fontSizes: { xs: "12px", sm: "13px", md: "14px", lg: "16px", xl: "20px" },
  lineHeights: { xs: "16px", sm: "20px", md: "20px", lg: "24px", xl: "28px" },
  spacing: { xs: "4px", sm: "8px", md: "16px", lg: "24px", xl: "32px" },
  radius: { xs: "4px", sm: "6px", md: "8px", lg: "12px", xl: "16px" },
  defaultRadius: "sm",
  cursorType: "pointer",
  headings: {
    fontWeight: "600",
    sizes: {
      h1: { fontSize: "20px", lineHeight: "28px" },
      h2: { fontSize: "16px", lineHeight: "24px" },
      h3: { fontSize: "14px", lineHeight: "20px" },
    },
  },
  components: {
    Button: { defaultProps: { size: "sm" } },
    Tooltip: { defaultProps: { openDelay: 300, withArrow: true, transitionProps: { duration: 80 } } },
    Modal: {
      defaultProps: {
        closeButtonProps: { "aria-label": "Close" },
        // The head of a dialog is not the page's banner.
        attributes: { header: { role: "none" } },
        centered: true,
        transitionProps: { duration: 100 },
        overlayProps: { opacity: 0.45 },
      },
    },
    Menu: { defaultProps: { shadow: "md", transitionProps: { duration: 80 } } },
    TextInput: { defaultProps: { size: "sm" } },
    NumberInput: { defaultProps: { size: "sm" } },
    Select: { defaultProps: { size: "sm", allowDeselect: false } },
    Badge: { defaultProps: { tt: "none", fw: 500 } },
    Table: { defaultProps: { verticalSpacing: 10, horizontalSpacing: 16 } },
  },
});

export const cssVariables: CSSVariablesResolver = () => {
  const shared = {
    "--mantine-color-body": "var(--af-bg)",
    "--mantine-color-text": "var(--af-text)",
    "--mantine-color-dimmed": "var(--af-muted)",
    "--mantine-color-placeholder": "var(--af-faint)",
    "--mantine-color-error": "var(--af-red)",
    "--mantine-color-anchor": "var(--af-accent-text)",
    "--mantine-color-default": "var(--af-surface)",
    "--mantine-color-default-hover": "var(--af-hover)",
    "--mantine-color-default-color": "var(--af-text)",
    "--mantine-color-default-border": "var(--af-border-strong)",
    "--mantine-shadow-md": "var(--af-shadow)",
    "--mantine-shadow-xl": "var(--af-shadow)",
  };
  return { variables: {}, light: shared, dark: shared };
};

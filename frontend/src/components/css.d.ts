import "react";

declare module "react" {
  interface CSSProperties {
    /** Custom properties, for values that only the script knows. */
    [property: `--${string}`]: string | number | undefined;
  }
}

/** What a forecast's short names and figures mean, for people. */
import type { Forecast, Forecaster } from "@/api/types";

const FORECASTERS: Record<string, { word: string; says: string }> = {
  last: { word: "last value", says: "The benchmark: as it was, so it will be" },
  naive: { word: "naive", says: "The largest of the last value, this time yesterday and a week ago" },
  "ml-based": { word: "ml-based", says: "Gradient-boosted trees that learn from the pool’s history" },
};

export function forecasterOf(name: string): { word: string; says: string } {
  return FORECASTERS[name] ?? { word: name, says: "" };
}

const BENCHMARK = "last";

/** How a forecaster's loss compares with the last value's: -0.25 is a quarter less. */
export function against(forecast: Forecast, { name, pinball }: Forecaster): number | null {
  const last = forecast.forecasters.find((one) => one.name === BENCHMARK)?.pinball;
  if (name === BENCHMARK || pinball === null || last == null || last === 0) return null;
  return pinball / last - 1;
}

/** "25 % less", "3 % more", "the same". */
export function comparedWith(share: number | null): string {
  if (share === null) return "–";
  const whole = Math.round(Math.abs(share) * 100);
  if (whole === 0) return "the same";
  return `${whole} % ${share < 0 ? "less" : "more"}`;
}

/** A load or a loss: "0.42", "12.3". */
export function load(value: number | null): string {
  return value === null ? "–" : value.toLocaleString("en", { maximumSignificantDigits: 3 });
}

import type { Machine, NodeGroup } from "@/api/types";
import { amount, plural, seconds } from "@/format";

export interface GroupCosts {
  /** Of an hour, of those machines whose price is known. */
  hour: number;
  /** Machines without a known price. */
  unpriced: number;
  /** What an hour on demand would cost more; null while nobody told what on demand costs. */
  saved: number | null;
  /** What the machines that are there have cost. */
  soFar: number;
}

/** A machine costs from when its provider has it. */
const rented = ({ state }: Machine) => state !== "requested";

export function costsOf(machines: Machine[]): GroupCosts {
  const paid = machines.filter(rented);
  const sum = (amounts: number[]) => amounts.reduce((all, one) => all + one, 0);
  const compared = paid.filter(({ price, on_demand_price }) => price !== null && on_demand_price !== null);
  return {
    hour: sum(paid.map(({ price }) => price ?? 0)),
    unpriced: paid.filter(({ price }) => price === null).length,
    saved:
      compared.length === 0
        ? null
        : sum(compared.map(({ price, on_demand_price }) => Number(on_demand_price) - Number(price))),
    soFar: sum(machines.map(({ cost }) => cost)),
  };
}

/** Which machines it takes, in a sentence. */
export function mixOf(group: NodeGroup, currency: string): string {
  const { prefer_spot, on_demand_base: base, spot_fallback, max_price, idle_timeout } = group;
  const leave = `Empty machines go after ${seconds(idle_timeout)}.`;
  if (!prefer_spot) return `On demand. ${leave}`;
  const above =
    base === null
      ? "Spot above what is needed half of the time"
      : base === 0
        ? "Spot"
        : `Spot above ${plural(base, "machine")} on demand`;
  const price =
    max_price === null ? "for less than on demand" : `for ${amount(max_price)} ${currency} at most`;
  const without = spot_fallback ? "on demand while there is none" : "agents wait while there is none";
  return `${above}, ${price}; ${without}. ${leave}`;
}

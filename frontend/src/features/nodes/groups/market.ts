import type { Offer } from "@/api/types";

/** The cheapest offer of a capacity type; null where the provider has none just now. */
type Best = Pick<Offer, "price" | "zone"> | null;

export interface TypeFacts {
  type: string;
  cpus: number;
  /** Bytes. */
  memory: number;
  /** That it takes, of the usual size. */
  agents: number;
  onDemand: Best;
  spot: Best;
  /** Of spot where it is cheapest: interruptions per machine-hour. */
  risk: number | null;
}

/** What the provider has, a row for each instance type, in the order of the offers. */
export function typesOf(offers: Offer[]): TypeFacts[] {
  const types = [...new Set(offers.map(({ instance_type }) => instance_type))];
  return types.map((type) => {
    const own = offers.filter(({ instance_type }) => instance_type === type);
    const [{ cpus, memory, agents }] = own as [Offer];
    const spot = bestOf(own, "spot");
    return {
      type,
      cpus,
      memory,
      agents,
      onDemand: bestOf(own, "on_demand"),
      spot,
      risk: spot?.interruption_risk ?? null,
    };
  });
}

function bestOf(offers: Offer[], kind: Offer["capacity_type"]): Offer | null {
  const had = offers.filter(({ capacity_type, short }) => capacity_type === kind && !short);
  return had.reduce<Offer | null>(
    (best, one) => (best === null || cost(one) < cost(best) ? one : best),
    null,
  );
}

const cost = ({ price }: Offer) => price ?? Number.POSITIVE_INFINITY;

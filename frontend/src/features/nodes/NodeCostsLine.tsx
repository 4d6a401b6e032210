import { useQuery } from "@tanstack/react-query";
import { nodeCosts } from "@/api/nodes";
import { Figure, Figures } from "@/components/Figure";
import { amount, plural } from "@/format";
import classes from "./Nodes.module.css";

/** What the machines cost, what of that nobody uses, and what spot capacity saves; nothing without prices. */
export function NodeCostsLine() {
  const { data } = useQuery(nodeCosts);
  if (!data || (data.per_hour.cost === 0 && data.so_far.cost === 0)) return null;
  const { currency, per_hour: now, so_far: sum, unpriced } = data;
  const unknown = unpriced > 0 ? ` The price of ${plural(unpriced, "node")} is not known.` : "";
  return (
    <div className={classes.costs}>
      <Figures>
        <Figure
          label="an hour"
          value={`${amount(now.cost)} ${currency}`}
          says={`Of all nodes.${unknown}`}
          size="lg"
        />
        <Figure
          label="idle, of that"
          value={`${amount(now.idle)} ${currency}`}
          says="For capacity that no agent has"
          size="lg"
        />
        <Figure
          label="saved by spot, an hour"
          value={`${amount(now.saved)} ${currency}`}
          says={`On demand the same machines would cost ${amount(now.on_demand)} ${currency}`}
          size="lg"
        />
        {sum.since && (
          <Figure
            label="saved so far"
            value={`${amount(sum.saved)} ${currency}`}
            says={`Rented machines have cost ${amount(sum.cost)} ${currency} since ${new Date(sum.since).toLocaleDateString("en")}`}
            size="lg"
          />
        )}
      </Figures>
    </div>
  );
}

import { Skeleton, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { forecastOf } from "@/api/scaling";
import type { Forecast } from "@/api/types";
import { ErrorNote } from "@/components/ErrorNote";
import { Figure } from "@/components/Figure";
import { StateBadge } from "@/components/StateBadge";
import { percent, plural, seconds } from "@/format";
import { Ago } from "@/format/Ago";
import classes from "../Scaling.module.css";
import { Forecasters } from "./Forecasters";
import { ForecastChart } from "./ForecastChart";
import { against, comparedWith, forecasterOf, load } from "./words";

/** What is forecast of a pool, by whom, how good that was, and whether it counts. */
export function ForecastPanel({ pool }: { pool: string }) {
  const { data, error, isPending, refetch } = useQuery(forecastOf(pool));
  return (
    <section className={classes.panel} aria-label="Forecast">
      <div className={classes.head}>
        <Title order={2}>Forecast</Title>
        {data && (
          <StateBadge
            state={data.on ? "heeded" : "unheeded"}
            says={data.on ? "The size does not fall below its floor" : "The size follows the load alone"}
          />
        )}
      </div>
      {error && <ErrorNote error={error} title="The forecast is not known" onRetry={() => void refetch()} />}
      {isPending && <Skeleton height={48} />}
      {data && <p className={classes.told}>{data.explanation}</p>}
      {data && data.predictor !== null && (
        <>
          <Figures forecast={data} />
          {data.forecasters.length > 0 && <Forecasters forecast={data} />}
          <ForecastChart forecast={data} />
        </>
      )}
    </section>
  );
}

function Figures({ forecast }: { forecast: Forecast }) {
  const { serving, on, floor, quantile, coverage, horizon, median, at } = forecast;
  const serves = forecast.forecasters.find(({ name }) => name === serving);
  return (
    <dl className={classes.figures} data-inside>
      <Figure
        size="lg"
        label={on ? "floor" : "floor, if it were heeded"}
        value={floor === null ? "–" : plural(floor, "agent")}
        says="What the policy holds ready for the load that is expected at most"
      />
      <Figure
        size="lg"
        label={`expected at most (${percent(quantile)})`}
        value={`${load(forecast.load)} at once`}
        says={`Leases in the next ${seconds(horizon)}; as likely more as less than ${load(median)}`}
      />
      <Figure
        size="lg"
        label="forecaster"
        value={serving === null ? "–" : forecasterOf(serving).word}
        says={serving === null ? undefined : forecasterOf(serving).says}
      />
      <Figure
        size="lg"
        label="loss, against the last value"
        value={serves ? comparedWith(against(forecast, serves)) : "–"}
        says={`Pinball loss of the last day’s forecasts: ${load(serves?.pinball ?? null)} leases on average`}
      />
      <Figure
        size="lg"
        label={`held, of ${percent(quantile)} promised`}
        value={percent(coverage)}
        says="The share of the last day’s forecasts that what came did not exceed"
      />
      <Figure size="lg" label="made" value={<Ago at={at} />} says="Anew each minute" />
    </dl>
  );
}

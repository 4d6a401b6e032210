import { Table } from "@mantine/core";
import type { Forecast } from "@/api/types";
import { count, percent } from "@/format";
import classes from "../Scaling.module.css";
import { against, comparedWith, forecasterOf, load } from "./words";

/** Those who forecast, side by side over the last day: the least loss serves. */
export function Forecasters({ forecast }: { forecast: Forecast }) {
  return (
    <Table.ScrollContainer minWidth={560} type="native">
      <Table aria-label="Forecasters" horizontalSpacing={8}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Forecaster</Table.Th>
            <Table.Th className={classes.number} title="Mean pinball loss in leases: the less, the better">
              Loss, leases
            </Table.Th>
            <Table.Th className={classes.number}>Against the last value</Table.Th>
            <Table.Th className={classes.number} title="Forecasts that what came did not exceed">
              Held
            </Table.Th>
            <Table.Th className={classes.number} title="Of the last day, whose outcome is known">
              Forecasts
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {forecast.forecasters.map((one) => {
            const { word, says } = forecasterOf(one.name);
            return (
              <Table.Tr key={one.name}>
                <Table.Td>
                  <span title={says}>{word}</span>
                  {one.name === forecast.serving && <span className={classes.quiet}> serves</span>}
                  {one.problem && (
                    <div className={classes.waits} data-hue="amber">
                      {one.problem}
                    </div>
                  )}
                </Table.Td>
                <Table.Td className={classes.number}>{load(one.pinball)}</Table.Td>
                <Table.Td className={classes.number}>{comparedWith(against(forecast, one))}</Table.Td>
                <Table.Td className={classes.number}>{percent(one.coverage)}</Table.Td>
                <Table.Td className={classes.number}>{count(one.outcomes)}</Table.Td>
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

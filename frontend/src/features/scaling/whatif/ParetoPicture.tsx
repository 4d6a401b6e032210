import type { Verdict } from "@/api/types";
import { dotsOf, type Frame, placed } from "./pareto";
import classes from "./WhatIf.module.css";
import { policyName } from "./words";

const FRAME: Frame = { width: 640, height: 280, left: 56, right: 88, top: 12, bottom: 44 };

/** What each policy costs against how many it lets wait; the table beside it has the figures. */
export function ParetoPicture({ results }: { results: Verdict[] }) {
  const { dots, hours, lates } = placed(dotsOf(results), FRAME);
  const floor = FRAME.height - FRAME.bottom;
  const end = FRAME.width - FRAME.right;
  const best = dots.filter((dot) => dot.best).sort((a, b) => a.x - b.x);
  const label = `Agent-hours against late arrivals. No policy is better in both than ${best
    .map(({ policy }) => policyName(policy))
    .join(", ")}.`;
  return (
    <svg
      className={classes.picture}
      viewBox={`0 0 ${FRAME.width} ${FRAME.height}`}
      role="img"
      aria-label={label}
    >
      {lates.map(({ at, text }) => (
        <g key={text}>
          <line className={classes.grid} x1={FRAME.left} x2={end} y1={at} y2={at} />
          <text className={classes.tick} x={FRAME.left - 8} y={at + 4} textAnchor="end">
            {text}
          </text>
        </g>
      ))}
      {hours.map(({ at, text }) => (
        <text key={text} className={classes.tick} x={at} y={floor + 16} textAnchor="middle">
          {text}
        </text>
      ))}
      <text className={classes.axis} x={(FRAME.left + end) / 2} y={FRAME.height - 6} textAnchor="middle">
        agent-hours
      </text>
      <text
        className={classes.axis}
        transform={`translate(12 ${(FRAME.top + floor) / 2}) rotate(-90)`}
        textAnchor="middle"
      >
        waited too long
      </text>
      <polyline className={classes.front} points={best.map(({ x, y }) => `${x},${y}`).join(" ")} />
      {dots.map(({ policy, x, y, labelY, side, best: good }) => (
        <g key={policy} data-best={good || undefined} className={classes.dot}>
          <circle cx={x} cy={y} r={5} />
          <text
            x={side === "left" ? x - 10 : x + 10}
            y={labelY + 4}
            textAnchor={side === "left" ? "end" : "start"}
          >
            {policyName(policy)}
          </text>
        </g>
      ))}
    </svg>
  );
}

import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { samplesOf, WINDOW_MS } from "@/realtime/pools/history";

const HEIGHT = 40;
const REDRAW_MS = 1000;

/** A pool's utilization over the last minutes, 0 to 100 %. The figure itself stands beside it. */
export function Sparkline({ name }: { name: string }) {
  const box = useRef<HTMLDivElement>(null);
  const scheme = useComputedColorScheme("light");
  useEffect(() => {
    const place = box.current;
    if (!place) return;
    const plot = new uPlot(optionsFor(place.clientWidth, colourOf(place, scheme)), dataOf(name), place);
    const resized = new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: HEIGHT }));
    resized.observe(place);
    const timer = setInterval(() => plot.setData(dataOf(name)), REDRAW_MS);
    return () => {
      clearInterval(timer);
      resized.disconnect();
      plot.destroy();
    };
  }, [name, scheme]);
  return <div ref={box} style={{ height: HEIGHT }} aria-hidden />;
}

function colourOf(place: Element, scheme: string): string {
  return (
    getComputedStyle(place).getPropertyValue("--af-accent").trim() || (scheme === "dark" ? "#fff" : "#000")
  );
}

/** Seconds and shares; the last value is drawn on until now. */
function dataOf(name: string): uPlot.AlignedData {
  const samples = samplesOf(name);
  const now = Date.now();
  const last = samples.at(-1);
  return [
    [...samples.map((sample) => sample.at / 1000), now / 1000],
    [...samples.map((sample) => sample.utilization), last?.utilization ?? 0],
  ];
}

function optionsFor(width: number, colour: string): uPlot.Options {
  const now = () => Date.now() / 1000;
  return {
    width,
    height: HEIGHT,
    padding: [2, 0, 1, 0],
    cursor: { show: false },
    legend: { show: false },
    axes: [{ show: false }, { show: false }],
    scales: {
      x: { time: true, range: () => [now() - WINDOW_MS / 1000, now()] },
      y: { range: [0, 1] },
    },
    series: [
      {},
      {
        stroke: colour,
        fill: `${colour}22`,
        width: 1.5,
        points: { show: false },
        paths: uPlot.paths.stepped?.({ align: 1 }),
      },
    ],
  };
}

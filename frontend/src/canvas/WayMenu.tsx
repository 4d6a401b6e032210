import { Menu } from "@mantine/core";
import { IconCheck, IconPlus } from "@tabler/icons-react";
import { labelOfWay, reroute, type Way, waysTo } from "./branches";
import { casesOf } from "./document";
import { openGraph, useDesigner, useDesignerStore } from "./store";
import type { NewWay } from "./useConnecting";

/** After an edge was drawn from a branch: which of its ways leads there. It has one already; this changes it. */
export function WayMenu({ way, onClose }: { way: NewWay; onClose: () => void }) {
  const store = useDesignerStore();
  const branch = useDesigner((state) => openGraph(state).steps.find(({ id }) => id === way.branch));
  if (!branch) return null;
  const now = waysTo(branch, way.target);
  const choose = (chosen: Way) =>
    store.getState().applyHere((graph) => reroute(graph, way.branch, way.target, [chosen]));
  const chooseNew = () =>
    store.getState().applyHere((graph) => {
      const number = casesOf(branch).length;
      const wider = graph.steps.map((step) =>
        step.id === way.branch ? { ...step, cases: [...casesOf(step), { when: true, then: [] }] } : step,
      );
      return reroute({ ...graph, steps: wider }, way.branch, way.target, [number]);
    });
  const ways: Way[] = [...casesOf(branch).keys(), "else"];
  return (
    <Menu opened onClose={onClose} position="bottom-start" width={240} closeOnItemClick trapFocus>
      <Menu.Target>
        <span style={{ position: "fixed", left: way.at.x, top: way.at.y, width: 1, height: 1 }} />
      </Menu.Target>
      <Menu.Dropdown aria-label={`When ${way.branch} leads to ${way.target}`}>
        <Menu.Label>
          {way.branch} leads to {way.target}
        </Menu.Label>
        {ways.map((one) => (
          <Menu.Item
            key={one}
            leftSection={now.includes(one) ? <IconCheck size={14} /> : <span style={{ width: 14 }} />}
            onClick={() => choose(one)}
          >
            {one === "else" ? "Otherwise (else)" : `Case ${one + 1}: ${labelOfWay(branch, one)}`}
          </Menu.Item>
        ))}
        <Menu.Item leftSection={<IconPlus size={14} />} onClick={chooseNew}>
          In a new case
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

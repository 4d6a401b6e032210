import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from "@tanstack/react-router";
import { NotFound } from "./shell/NotFound";
import { PageFailed } from "./shell/PageFailed";
import { PageLoading } from "./shell/PageLoading";
import { Shell } from "./shell/Shell";

type Search = Record<string, unknown>;

/** The named parts of a query string that are texts; empty ones are left out. */
function texts<const Name extends string>(search: Search, ...names: Name[]): { [N in Name]?: string } {
  const found: { [N in Name]?: string } = {};
  for (const name of names) {
    const value = search[name];
    if (typeof value === "string" && value !== "") found[name] = value;
    if (typeof value === "number") found[name] = String(value);
  }
  return found;
}

/** One named part that is a whole number from 0; left out otherwise. */
function whole<const Name extends string>(search: Search, name: Name): { [N in Name]?: number } {
  const number = Number(search[name] ?? Number.NaN);
  const found: { [N in Name]?: number } = {};
  if (Number.isInteger(number) && number >= 0) found[name] = number;
  return found;
}

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/workflows" });
  },
});

const workflows = createRoute({
  getParentRoute: () => root,
  path: "/workflows",
  validateSearch: (search: Search): { search?: string; new?: true } => ({
    ...texts(search, "search"),
    ...(search.new === true ? { new: true } : {}),
  }),
  component: lazyRouteComponent(() => import("./features/workflows/WorkflowsPage")),
});

const designer = createRoute({
  getParentRoute: () => root,
  path: "/workflows/$name",
  validateSearch: (search: Search) => ({
    ...texts(search, "step", "loop", "tab", "panel"),
    ...whole(search, "version"),
  }),
  component: lazyRouteComponent(() => import("./features/designer/DesignerPage")),
});

const runs = createRoute({
  getParentRoute: () => root,
  path: "/runs",
  validateSearch: (search: Search) => texts(search, "workflow", "state"),
  component: lazyRouteComponent(() => import("./features/runs/RunsPage")),
});

const run = createRoute({
  getParentRoute: () => root,
  path: "/runs/$id",
  validateSearch: (search: Search) => ({
    ...texts(search, "step", "tab", "items"),
    ...whole(search, "item"),
  }),
  component: lazyRouteComponent(() => import("./features/runs/RunPage")),
});

const pools = createRoute({
  getParentRoute: () => root,
  path: "/pools",
  validateSearch: (search: Search) => texts(search, "pool", "leases"),
  component: lazyRouteComponent(() => import("./features/pools/PoolsPage")),
});

const scaling = createRoute({
  getParentRoute: () => root,
  path: "/scaling",
  component: lazyRouteComponent(() => import("./features/scaling/ScalingPage")),
});

const scalingOf = createRoute({
  getParentRoute: () => root,
  path: "/scaling/$pool",
  validateSearch: (search: Search) => ({
    ...texts(search, "range", "action", "reason", "tab", "edit", "simulation"),
    ...whole(search, "decision"),
  }),
  component: lazyRouteComponent(() => import("./features/scaling/PoolScalingPage")),
});

const budgets = createRoute({
  getParentRoute: () => root,
  path: "/budgets",
  validateSearch: (search: Search) => texts(search, "edit", "group", "range"),
  component: lazyRouteComponent(() => import("./features/budgets/BudgetsPage")),
});

const agents = createRoute({
  getParentRoute: () => root,
  path: "/agents",
  validateSearch: (search: Search) => texts(search, "agent", "tab"),
  component: lazyRouteComponent(() => import("./features/agents/AgentsPage")),
});
const nodes = createRoute({
  getParentRoute: () => root,
  path: "/nodes",
  validateSearch: (search: Search): { edit?: string; new?: true } => ({
    ...texts(search, "edit"),
    ...(search.new === true ? { new: true } : {}),
  }),
  component: lazyRouteComponent(() => import("./features/nodes/NodesPage")),
});

const triggers = createRoute({
  getParentRoute: () => root,
  path: "/triggers",
  validateSearch: (search: Search) => texts(search, "workflow", "new"),
  component: lazyRouteComponent(() => import("./features/triggers/TriggersPage")),
});

const trigger = createRoute({
  getParentRoute: () => root,
  path: "/triggers/$id",
  component: lazyRouteComponent(() => import("./features/triggers/TriggerPage")),
});

const settings = createRoute({
  getParentRoute: () => root,
  path: "/settings",
  validateSearch: (search: Search) => texts(search, "tab", "actor", "action", "target", "alerts", "edit"),
  component: lazyRouteComponent(() => import("./features/settings/SettingsPage")),
});

const routeTree = root.addChildren([
  home,
  workflows,
  designer,
  runs,
  run,
  triggers,
  trigger,
  pools,
  scaling,
  scalingOf,
  budgets,
  agents,
  nodes,
  settings,
]);

export const router = createRouter({
  routeTree,
  defaultPreload: "intent",
  defaultPendingMs: 120,
  defaultPendingComponent: PageLoading,
  defaultErrorComponent: PageFailed,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}

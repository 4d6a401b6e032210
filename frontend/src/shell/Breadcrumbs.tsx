import { useQuery } from "@tanstack/react-query";
import { Link, useLocation } from "@tanstack/react-router";
import { triggerDetail } from "@/api/triggers";
import { shortId } from "@/format";
import { runLive } from "@/realtime/run/useRunFeed";
import { pages } from "./pages";
import classes from "./Shell.module.css";

/** Where one is: the page, and the one thing on it that has a name. */
export function Breadcrumbs() {
  const path = useLocation({ select: (location) => location.pathname });
  const page = pages.find(({ to }) => path === to || path.startsWith(`${to}/`));
  const rest = page ? decodeURIComponent(path.slice(page.to.length + 1).split("/")[0] ?? "") : "";
  const of = page?.to ?? "";
  const parent = useParentRun(of === "/runs" ? rest : "");
  const trigger = useTriggerName(of === "/triggers" ? rest : "");
  if (!page) return <div className={classes.crumbs} />;
  return (
    <nav aria-label="Breadcrumbs" style={{ marginRight: "auto", minWidth: 0 }}>
      <ol className={classes.crumbs}>
        <li>{rest ? <Link to={page.to}>{page.name}</Link> : <span aria-current="page">{page.name}</span>}</li>
        {parent && (
          <li>
            <Link to="/runs/$id" params={{ id: parent.run }} search={{ step: parent.step }}>
              <span className="mono">{shortId(parent.run)}</span> {parent.step}
            </Link>
          </li>
        )}
        {rest && (
          <li>
            <span aria-current="page" className={page.to === "/runs" ? "mono" : undefined}>
              {page.to === "/runs" ? shortId(rest) : (trigger ?? rest)}
            </span>
          </li>
        )}
      </ol>
    </nav>
  );
}

/** The step of the run that started this one. The page asks for the run; here it is only looked up. */
function useParentRun(id: string): { run: string; step: string } | null {
  return useQuery({ ...runLive(id), enabled: false }).data?.run.parent ?? null;
}

function useTriggerName(id: string): string | undefined {
  const { data } = useQuery({ ...triggerDetail(id), enabled: false });
  return id === "" ? undefined : data?.name;
}

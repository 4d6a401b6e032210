import { Link, useLocation } from "@tanstack/react-router";
import { shortId } from "@/format";
import { pages } from "./pages";
import classes from "./Shell.module.css";

/** Where one is: the page, and the one thing on it that has a name. */
export function Breadcrumbs() {
  const path = useLocation({ select: (location) => location.pathname });
  const page = pages.find(({ to }) => path === to || path.startsWith(`${to}/`));
  if (!page) return <div className={classes.crumbs} />;
  const rest = decodeURIComponent(path.slice(page.to.length + 1).split("/")[0] ?? "");
  return (
    <nav aria-label="Breadcrumbs" style={{ marginRight: "auto", minWidth: 0 }}>
      <ol className={classes.crumbs}>
        <li>{rest ? <Link to={page.to}>{page.name}</Link> : <span aria-current="page">{page.name}</span>}</li>
        {rest && (
          <li>
            <span aria-current="page" className={page.to === "/runs" ? "mono" : undefined}>
              {page.to === "/runs" ? shortId(rest) : rest}
            </span>
          </li>
        )}
      </ol>
    </nav>
  );
}

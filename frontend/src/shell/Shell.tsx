import { useLocalStorage, useMediaQuery } from "@mantine/hooks";
import { ModalsProvider } from "@mantine/modals";
import { useQuery } from "@tanstack/react-query";
import { Outlet } from "@tanstack/react-router";
import { ApiProblem } from "@/api/client";
import { me } from "@/api/me";
import { usePoolsFeed } from "@/realtime/pools/usePoolsFeed";
import { Commands } from "./Commands";
import { Navigation } from "./Navigation";
import { NoTeam } from "./NoTeam";
import classes from "./Shell.module.css";
import { TopBar } from "./TopBar";

/** The frame around every page: navigation on the left, the bar on top. */
export function Shell() {
  const person = useQuery(me);
  if (person.error instanceof ApiProblem && person.error.status === 403) {
    return <NoTeam says={person.error.message} />;
  }
  return <Frame />;
}

function Frame() {
  usePoolsFeed();
  const narrow = useMediaQuery("(max-width: 900px)", false, { getInitialValueInEffect: false });
  const [kept, setKept] = useLocalStorage({
    key: "af-navigation-folded",
    defaultValue: false,
    getInitialValueInEffect: false,
  });
  const folded = kept || narrow;
  return (
    // Inside the router: what stands in a dialog may link and navigate.
    <ModalsProvider>
      <div className={classes.shell} data-folded={folded || undefined}>
        <a className={classes.skip} href="#content">
          Skip to the content
        </a>
        <Navigation folded={folded} onFold={narrow ? undefined : () => setKept(!kept)} />
        <div className={classes.main}>
          <TopBar />
          <main id="content" className={classes.content} tabIndex={-1}>
            <Outlet />
          </main>
        </div>
        <Commands />
      </div>
    </ModalsProvider>
  );
}

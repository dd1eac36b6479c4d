// The drawer below: a row of tabs, and the panel of the chosen one.

const TABS = [
  ["memory", "Memory", memoryPanel],
  ["profile", "Profile", profilePanel],
  ["loss", "Loss", lossPanel],
  ["gradcheck", "Gradient check", gradcheckPanel],
  ["values", "Values", valuesPanel],
  ["certificate", "Certificate", certificatePanel],
];

/** Makes tabs and panels for what there is. */
function makeDrawer(app) {
  app.tabs = TABS.map(([key, title, panel]) => [key, title, panel(app)]).filter((tab) => tab[2]);
  const panels = app.tabs.map(([key, title, content]) =>
    make(
      "div",
      {
        role: "tabpanel",
        id: `panel-${key}`,
        class: "panel",
        "aria-labelledby": `tab-${key}`,
        tabindex: "0",
        hidden: true,
      },
      make("h2", { class: "printed" }, title),
      content,
    ),
  );
  const tabs = app.tabs.map(([key, title]) =>
    make(
      "button",
      {
        type: "button",
        role: "tab",
        id: `tab-${key}`,
        "aria-controls": `panel-${key}`,
        onclick: () => app.go({ tab: app.state.tab === key ? null : key }),
      },
      title,
    ),
  );
  const list = byId("tabs");
  fill(list, tabs);
  list.addEventListener("keydown", (e) => {
    const tab = roving(tabs, e);
    if (tab) app.go({ tab: tab.id.slice(4) });
  });
  fill(byId("panels"), panels);
  byId("drawer").hidden = !app.tabs.length;
}

function showDrawer(app) {
  const chosen = app.tabs.find(([key]) => key === app.state.tab);
  byId("drawer").classList.toggle("closed", !chosen);
  app.tabs.forEach(([key], k) => {
    const open = key === app.state.tab;
    const tab = byId(`tab-${key}`);
    tab.setAttribute("aria-selected", String(open));
    tab.setAttribute("tabindex", open || (!chosen && k === 0) ? "0" : "-1");
    byId(`panel-${key}`).hidden = !open;
  });
  markBuffer(app);
}

/** How the page looks: on a phone and a desktop, by day and by night. */

export const style = `:root {
  color-scheme: light dark;
  --paper: #f6f7f9;
  --card: #ffffff;
  --ink: #1b2230;
  --quiet: #5a6475;
  --line: #d9dee6;
  --link: #1f5fbf;
  --strong: #1f5fbf;
  --on-strong: #ffffff;
  --good: #17703c;
  --bad: #b3261e;
  --held: #8a5200;
  --held-tint: #fdf1dc;
  --bad-tint: #fdecea;
  --good-tint: #e6f4ea;
  --blue-tint: #e8f0fb;
  --grey-tint: #eceff3;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #11151c;
    --card: #1a202a;
    --ink: #e8ebf0;
    --quiet: #a3adbd;
    --line: #333c4a;
    --link: #8ab4f8;
    --strong: #8ab4f8;
    --on-strong: #0d1626;
    --good: #7fd39b;
    --bad: #ff9d94;
    --held: #f3bf6b;
    --held-tint: #3a2c12;
    --bad-tint: #40201e;
    --good-tint: #17331f;
    --blue-tint: #1b2c47;
    --grey-tint: #2a313d;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body {
  margin: 0;
  background: var(--paper);
  color: var(--ink);
  font: 1rem/1.5 system-ui, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif;
  overflow-wrap: anywhere;
}
h1, h2, h3 { line-height: 1.25; margin: 0; text-wrap: balance; }
h1 { font-size: 1.5rem; }
h2 { font-size: 1.125rem; }
p { margin: 0; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 6px; }
h1:focus, h1:focus-visible { outline: none; }
.aside {
  position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}
.quiet { color: var(--quiet); font-size: 0.875rem; }
.bar {
  display: flex; align-items: center; gap: 0.25rem 1rem; flex-wrap: wrap;
  padding: 0.5rem max(1rem, calc((100vw - 56rem) / 2)); border-bottom: 1px solid var(--line); background: var(--card);
}
.home { font-weight: 650; font-size: 1.125rem; color: var(--ink); text-decoration: none; padding: 0.5rem 0; }
#freshness { margin-inline-start: auto; }
main { max-width: 58rem; margin: 0 auto; padding: 1.25rem 1rem 4rem; display: grid; gap: 1rem; }
main > * { min-width: 0; }

button, input, textarea { font: inherit; color: inherit; }
button {
  min-height: 2.75rem; padding: 0.5rem 1.125rem; border-radius: 10px; border: 1px solid var(--line);
  background: var(--card); font-weight: 600; cursor: pointer;
}
button:hover { border-color: var(--quiet); }
button:disabled { opacity: 0.6; cursor: default; }
button.strong { background: var(--strong); border-color: var(--strong); color: var(--on-strong); }
button.danger { color: var(--bad); }
button.plain { border-color: transparent; background: none; padding-inline: 0.5rem; color: var(--link); }
input[type="text"], input[type="password"], input[type="search"], textarea {
  width: 100%; min-height: 2.75rem; padding: 0.5rem 0.75rem; border-radius: 10px; border: 1px solid var(--quiet);
  background: var(--card);
}
textarea { resize: vertical; }
::placeholder { color: var(--quiet); opacity: 1; }
[aria-invalid="true"] { border-color: var(--bad) !important; }
.problem { color: var(--bad); font-size: 0.9375rem; }
.problem:empty { display: none; }

.box { padding: 0.875rem 1rem; border-radius: 12px; background: var(--blue-tint); white-space: pre-line; }
.box.bad { background: var(--bad-tint); }
.box button { margin-block-start: 0.5rem; display: block; }
.box strong { display: block; }
.remedy { display: block; margin-block-start: 0.25rem; }

.door { max-width: 26rem; margin: 8vh auto 0; width: 100%; display: grid; gap: 0.75rem; padding: 1.5rem; }
.door, .releases > li, .card { background: var(--card); border: 1px solid var(--line); border-radius: 14px; }
label { font-weight: 600; }

.filter { display: flex; flex-wrap: wrap; gap: 0.75rem; margin-block-end: 1rem; }
.filter fieldset { border: 0; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 0.375rem; flex: 1 1 24rem; }
.filter > div { flex: 1 1 14rem; }
.filter fieldset label { position: relative; font-weight: 500; }
.filter input[type="radio"] { position: absolute; inset: 0; opacity: 0; margin: 0; width: 100%; height: 100%; cursor: pointer; }
.filter fieldset span {
  display: block; padding: 0.5625rem 0.875rem; border: 1px solid var(--line); border-radius: 999px; background: var(--card);
}
.filter input:checked + span { background: var(--strong); border-color: var(--strong); color: var(--on-strong); }
.filter input:focus-visible + span { outline: 3px solid var(--link); outline-offset: 2px; }

.releases { list-style: none; margin: 0 0 1rem; padding: 0; display: grid; gap: 0.625rem; }
.releases a {
  display: grid; grid-template: "name is" "what when" "waits waits" / minmax(0, 1fr) auto; gap: 0.125rem 1rem; align-items: center;
  padding: 0.875rem 1rem; color: inherit; text-decoration: none; border-radius: 14px;
}
.releases > li:hover { border-color: var(--quiet); }
.releases .name { grid-area: name; font-weight: 650; }
.releases .is { grid-area: is; justify-self: end; }
.releases .what { grid-area: what; }
.releases .when { grid-area: when; justify-self: end; white-space: nowrap; }
.releases .waits { grid-area: waits; }
.empty { text-align: center; padding: 3rem 1rem; color: var(--quiet); }

.state {
  display: inline-flex; align-items: center; gap: 0.4375rem; padding: 0.125rem 0.625rem; border-radius: 999px;
  font-size: 0.875rem; font-weight: 600; white-space: nowrap; background: var(--grey-tint); color: var(--quiet);
}
.state::before { content: ""; width: 0.5rem; height: 0.5rem; border-radius: 50%; background: currentColor; }
.state.held { background: var(--held-tint); color: var(--held); }
.state.done { background: var(--good-tint); color: var(--good); }
.state.failed, .state.rejected { background: var(--bad-tint); color: var(--bad); }
.state.running { background: var(--blue-tint); color: var(--link); }
.state.running::before { animation: pulse 1.6s ease-in-out infinite; }
.state.submitted::before, .state.waiting::before { background: none; border: 2px solid currentColor; }
@keyframes pulse { 50% { opacity: 0.25; } }

#one { display: grid; gap: 1.25rem; }
.head { display: grid; gap: 0.5rem; justify-items: start; }
.actions { display: flex; flex-wrap: wrap; gap: 0.625rem; }
.card { padding: 1rem 1.125rem; display: grid; gap: 0.75rem; }
.note { white-space: pre-line; border-inline-start: 3px solid var(--line); padding-inline-start: 0.75rem; }
dl { display: grid; grid-template-columns: minmax(7rem, auto) minmax(0, 1fr); gap: 0.375rem 1rem; margin: 0; }
dt { color: var(--quiet); font-size: 0.9375rem; }
dd { margin: 0; }
.code { font: 0.875rem/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }

.way { list-style: none; margin: 0; padding: 0; }
.way > li { position: relative; padding: 0 0 1.125rem 2rem; display: grid; gap: 0.125rem; }
.way > li:last-child { padding-block-end: 0; }
.way > li::before {
  content: ""; position: absolute; inset-inline-start: 0.25rem; top: 0.3125rem; width: 0.75rem; height: 0.75rem;
  border-radius: 50%; border: 2px solid var(--quiet); background: var(--card); z-index: 1;
}
.way > li:not(:last-child)::after {
  content: ""; position: absolute; inset-inline-start: 0.6875rem; top: 0.75rem; bottom: -0.5rem; width: 2px; background: var(--line);
}
.way > .done::before { background: var(--good); border-color: var(--good); }
.way > .failed::before { background: var(--bad); border-color: var(--bad); }
.way > .running::before, .way > .interrupted::before { border-color: var(--link); }
.way > .running::before { background: var(--link); animation: pulse 1.6s ease-in-out infinite; }
.way > .now::before { background: var(--held); border-color: var(--held); }
.way > .ahead { color: var(--quiet); }
.way strong { font-weight: 600; }
.way > .ahead strong { font-weight: 400; }
details summary { cursor: pointer; color: var(--link); padding: 0.25rem 0; width: fit-content; }
details ul { margin: 0.25rem 0 0; padding-inline-start: 1.25rem; }

dialog {
  width: min(30rem, calc(100vw - 2rem)); border: 1px solid var(--line); border-radius: 16px; padding: 1.5rem;
  background: var(--card); color: var(--ink);
}
dialog::backdrop { background: rgb(10 14 22 / 55%); }
dialog form, #dialog-fields { display: grid; gap: 0.75rem; }
dialog .actions { margin-block-start: 0.5rem; }

@media (max-width: 30rem) {
  .releases a { grid-template: "name name" "is when" "what what" "waits waits" / auto minmax(0, 1fr); row-gap: 0.25rem; }
  .releases .is { justify-self: start; }
  .filter fieldset { flex-wrap: nowrap; overflow-x: auto; margin-inline: -1rem; padding: 3px 1rem 6px; scrollbar-width: none; }
  .filter fieldset label { flex: none; }
  dl { grid-template-columns: minmax(0, 1fr); gap: 0; }
  dd { margin-block-end: 0.5rem; }
  .actions > button { flex: 1 1 auto; }
}
@media (prefers-reduced-motion: reduce) {
  *, ::before { animation: none !important; }
}
`

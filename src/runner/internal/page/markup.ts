/** The page without its content, which comes from the API. */

export const markup = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>Releases</title>
<link rel="icon" href="/page.svg" type="image/svg+xml">
<link rel="stylesheet" href="/page.css">
<script src="/page.js" type="module"></script>
</head>
<body>
<header class="bar">
  <a class="home" href="#/">Releases</a>
  <p id="freshness" class="quiet"></p>
  <button id="forget" type="button" class="plain" hidden>Forget token</button>
</header>
<main>
  <noscript><p class="box bad">This page needs JavaScript. Without it, use the command line or the API.</p></noscript>
  <p id="trouble" class="box bad" role="alert" hidden></p>
  <p id="notice" class="box" role="status" hidden></p>
  <form id="door" class="door" hidden>
    <h1 tabindex="-1">Access token</h1>
    <p class="quiet">Whoever runs this has it. It stays in this tab, and is forgotten when the tab is closed.</p>
    <label for="token">Token</label>
    <input id="token" type="password" autocomplete="off" spellcheck="false" aria-describedby="token-problem">
    <p id="token-problem" class="problem" role="alert"></p>
    <button type="submit" class="strong">Show the releases</button>
  </form>
  <section id="list" hidden>
    <h1 tabindex="-1" class="aside">All releases</h1>
    <form id="filter" class="filter">
      <fieldset>
        <legend class="aside">Show</legend>
        <label><input type="radio" name="show" value="all" checked><span>All</span></label>
        <label><input type="radio" name="show" value="held"><span>Needs approval</span></label>
        <label><input type="radio" name="show" value="under-way"><span>Under way</span></label>
        <label><input type="radio" name="show" value="failed"><span>Failed</span></label>
        <label><input type="radio" name="show" value="ended"><span>Ended</span></label>
      </fieldset>
      <div>
        <label for="extension" class="aside">Extension, by name or id</label>
        <input id="extension" type="search" placeholder="Extension, by name or id" autocomplete="off" spellcheck="false">
      </div>
    </form>
    <p id="empty" class="empty" hidden></p>
    <ul id="releases" class="releases"></ul>
    <button id="more" type="button" hidden>Show older releases</button>
  </section>
  <section id="one" hidden></section>
</main>
<dialog id="dialog" aria-labelledby="dialog-title" aria-describedby="dialog-text">
  <form id="dialog-form" novalidate>
    <h2 id="dialog-title"></h2>
    <p id="dialog-text"></p>
    <div id="dialog-fields">
      <label for="by">Your name</label>
      <input id="by" type="text" maxlength="200" autocomplete="name" aria-describedby="by-problem">
      <p id="by-problem" class="problem"></p>
      <label for="note">Note <span class="quiet">(optional)</span></label>
      <textarea id="note" rows="3" maxlength="4000"></textarea>
    </div>
    <p id="dialog-problem" class="problem" role="alert"></p>
    <div class="actions">
      <button id="dialog-do" type="submit" class="strong"></button>
      <button id="dialog-back" type="button">Go back</button>
    </div>
  </form>
</dialog>
<p id="changes" class="aside" aria-live="polite"></p>
</body>
</html>
`

export const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#1f5fbf"/><path d="M16 24V9m-6 6 6-6 6 6" fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round" stroke-linejoin="round"/></svg>
`

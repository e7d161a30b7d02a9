'use strict';

// Works on every page, also on one without curves.
document.getElementById('copying').hidden = false;
document.getElementById('copy').addEventListener('click', async () => {
  const methods = document.getElementById('methods-text'), copied = document.getElementById('copied');
  const text = [...methods.children].map(paragraph => paragraph.textContent).join('\n\n');
  try { await navigator.clipboard.writeText(text); copied.textContent = 'Copied.'; }
  catch { getSelection().selectAllChildren(methods); copied.textContent = 'Selected: copy it with the keyboard.'; }
});

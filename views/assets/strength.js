// Advises on a new password while it is typed: an estimate of how hard it is to guess, in words. The page works without
// it, the rules are the server's, and nothing leaves the browser. What estimates comes with the first character typed.

const PAUSE_MS = 250;
/** As much as a password may have. */
const MAX_LENGTH = 256;

for (const box of document.querySelectorAll('[data-strength]')) watch(box);

function watch(box) {
  const input = document.getElementById(box.dataset.strength);
  const text = box.querySelector('.strength-words');
  // Who counts bytes does without advice.
  if (!input || navigator.connection?.saveData) return;
  const { levels, reasons } = JSON.parse(box.dataset.words);
  const known = JSON.parse(box.dataset.inputs);
  let worker;
  let timer;
  let turn = 0;

  input.addEventListener('input', () => {
    clearTimeout(timer);
    turn += 1;
    if (input.value === '') show(null, '');
    else timer = setTimeout(ask, PAUSE_MS);
  });

  function ask() {
    worker ??= start();
    worker.postMessage({ turn, password: input.value.slice(0, MAX_LENGTH), inputs: personal() });
  }

  function start() {
    const made = new Worker(box.dataset.worker);
    made.postMessage({ scripts: box.dataset.scripts.split(' ') });
    made.addEventListener('message', ({ data }) => {
      if (data.turn !== turn) return;
      const why = data.score < 3 ? reasons[data.warning] : undefined;
      show(data.score, why ? `${levels[data.score]} ${why}` : levels[data.score]);
    });
    return made;
  }

  /** What a guesser who knows the person tries first, whole and in parts. */
  function personal() {
    const typed = ['field-name', 'field-email'].map((id) => document.getElementById(id)?.value ?? '');
    const whole = [...known, ...typed].filter((each) => each !== '');
    return [...whole, ...whole.flatMap((each) => each.split(/[^\p{L}\p{N}]+/u))].filter((each) => each.length > 2);
  }

  function show(score, words) {
    if (score === null) delete box.dataset.score;
    else box.dataset.score = score;
    text.textContent = words;
  }
}

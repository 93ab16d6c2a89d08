// A short sound for a new hit, by severity; whoever cannot or does not want to hear sees the same in the head line. Off until somebody turns it on.

/** @type {AudioContext | null} */
let audio = null;
let on = localStorage.getItem('garita.sound') === 'on';

export function sounds() {
  return on;
}

export function toggle() {
  on = !on;
  localStorage.setItem('garita.sound', on ? 'on' : 'off');
  if (on) play('low');
}

/** Pitches, Hz, one after the other: the more urgent, the more and the higher. */
const TONES = { critical: [880, 1175, 880, 1175], high: [784, 988], medium: [659], low: [523] };

/** @param {keyof typeof TONES} severity */
export function play(severity) {
  if (!on) return;
  audio ??= new AudioContext();
  TONES[severity].forEach((pitch, number) => {
    if (!audio) return;
    const tone = new OscillatorNode(audio, { frequency: pitch });
    const loudness = new GainNode(audio, { gain: 0.08 });
    tone.connect(loudness).connect(audio.destination);
    const begin = audio.currentTime + number * 0.16;
    tone.start(begin);
    tone.stop(begin + 0.12);
  });
}

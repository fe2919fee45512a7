// Whoever scans a sheet lands here with what its code says after the `#` of the address: it goes into the field, and out of the address.
// Without this script it is copied by hand. Nothing is sent before the button is pressed.
if (location.hash.length > 1) {
  document.querySelector('[data-fill]').value = location.href;
  history.replaceState(null, '', location.pathname + location.search);
}

const form = document.querySelector('form')
const output = form.querySelector('output')

form.addEventListener('submit', (event) => {
  event.preventDefault()
  void send()
})

async function send() {
  output.textContent = 'Sending …'
  try {
    const response = await fetch(form.action, { method: 'POST', body: new FormData(form) })
    const { id, error } = await response.json()
    output.textContent = response.ok ? `Thank you. Your message has the number ${id}.` : error
    if (response.ok) form.reset()
  } catch {
    output.textContent = 'There is no connection. Please try again.'
  }
}

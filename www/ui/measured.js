// An element that is drawn again when its width changes.
import { LitElement } from 'lit'

export class MeasuredElement extends LitElement {
  constructor() {
    super()
    /** In pixels; 0 until it is in the page. */
    this.width = 0
    this.observer = new ResizeObserver(() => {
      if (this.clientWidth === this.width) return
      this.width = this.clientWidth
      this.requestUpdate()
    })
  }

  createRenderRoot() {
    return this
  }

  connectedCallback() {
    super.connectedCallback()
    this.observer.observe(this)
  }

  disconnectedCallback() {
    super.disconnectedCallback()
    this.observer.disconnect()
  }
}

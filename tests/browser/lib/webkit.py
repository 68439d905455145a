#!/usr/bin/python3
# A WebKitGTK browser for WebDriver, with a profile that stays: --profile=DIRECTORY
import sys
import gi
gi.require_version('Gtk', '3.0')
gi.require_version('WebKit2', '4.1')
from gi.repository import Gtk, WebKit2

options = dict(argument[2:].split('=', 1) for argument in sys.argv[1:] if argument.startswith('--') and '=' in argument)
profile = options['profile']
data = WebKit2.WebsiteDataManager(base_data_directory=profile + '/data', base_cache_directory=profile + '/cache')
context = WebKit2.WebContext.new_with_website_data_manager(data)
context.set_automation_allowed(True)
settings = WebKit2.Settings()


def view(*_):
    window = Gtk.Window()
    made = WebKit2.WebView(web_context=context, settings=settings, is_controlled_by_automation=True)
    window.add(made)
    window.show_all()
    made.connect('close', lambda _: window.destroy())
    return made


def started(_, session):
    session.set_application_info(WebKit2.ApplicationInfo())
    session.connect('create-web-view::tab', view)
    session.connect('create-web-view::window', view)


context.connect('automation-started', started)
Gtk.main()

"""PyMAF Live: no arguments open the window; ``python main.py --help`` lists the commands."""

from ui.entry import run

if __name__ == "__main__":
    run()

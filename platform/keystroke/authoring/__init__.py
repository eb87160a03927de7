"""What an author writes - workflows, actions, their context - and how a project of them is loaded."""

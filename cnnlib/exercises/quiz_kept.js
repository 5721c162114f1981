// What the reader's own browser keeps of the answers; a private window keeps nothing, and quizzes work there too.
const KEY = "cnn-course-quizzes";
const kept = () => {
  try {
    const all = JSON.parse(localStorage.getItem(KEY));
    return all && typeof all === "object" ? all : {};
  } catch {
    return {};
  }
};
const keep = (all) => {
  try {
    localStorage.setItem(KEY, JSON.stringify(all));
    return true;
  } catch {
    return false;
  }
};
